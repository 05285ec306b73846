export { createProxy, type ProxyServer } from "./proxy.ts";
export type { NodeIdentity, ProxyDeps } from "./proxy-deps.ts";
export { type RejectedResource, type ResourceSink, type ResourceUpsert, TYPE_URL } from "./resource-sink.ts";
export { createRuntime, type Runtime } from "./runtime.ts";
