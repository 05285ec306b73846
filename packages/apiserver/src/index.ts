export type { ApiServer, ApiServerOptions, DialService, KubeconfigPaths } from "./options.ts";
export type { ClusterPki, KeyPair } from "./pki.ts";
export { startApiServer } from "./server.ts";
