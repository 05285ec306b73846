export {
  createMeshCollections,
  type MeshCollections,
  type MeshDelta,
  type ObjectChange,
  WATCHED_KINDS,
} from "./collections.ts";
export { createConfigSource, type MeshConfigSource } from "./config-source.ts";
export { parseObjects, readDirectory, readMeshConfig } from "./file-inputs.ts";
export { type Istiod, type IstiodConfig, type IstiodDeps, type IstiodInputs, startIstiod } from "./istiod.ts";
export { decodeMeshConfig, type MeshConfig, parseMeshConfig } from "./model/mesh-config.ts";
export type { MeshState } from "./model/mesh-state.ts";
export { type AdsServer, type AdsServerOptions, createAdsServer } from "./serve/ads-server.ts";
export type { ConfigChange, ConfigSource, ProxyNode, ResourceNames } from "./serve/config-source.ts";
export { type InjectOptions, injectPod, type PatchOperation } from "./webhook/inject.ts";
