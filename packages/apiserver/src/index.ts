export type { Loopback, LoopbackAnswer, LoopbackRequest } from "./loopback.ts";
export type { ApiServer, ApiServerOptions, DialService, KubeconfigPaths } from "./options.ts";
export type { ClusterPki, KeyPair } from "./pki.ts";
export { startApiServer } from "./server.ts";
