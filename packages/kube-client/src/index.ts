export type { KubeClient, KubeList, ListOptions, ObjectRef, PatchType, WatchEvent } from "./client.ts";
export {
  type CollectionOptions,
  createCollection,
  createManyCollection,
  createSingleton,
  type DerivedCollection,
  type Fetch,
  type ManyCollectionOptions,
  type Singleton,
  type SingletonOptions,
} from "./collection.ts";
export type { KubeClientOptions, KubeConnection } from "./connection.ts";
export { isAlreadyExists, isConflict, isExpired, isNotFound, isUnreachable, KubeError, statusOf } from "./errors.ts";
export { createEventRecorder, type EventRecorder, type EventRecorderOptions } from "./event-recorder.ts";
export { type InClusterOptions, inClusterConfig } from "./in-cluster.ts";
export { createInformer, type Informer, type InformerOptions } from "./informer.ts";
export { type Change, type Collection, type Index, keyOf, namespaceOf, objectKey, splitKey } from "./keyed-store.ts";
export { loadKubeconfig } from "./kubeconfig.ts";
export { createReconciler, type ReconcileOutcome, type Reconciler, type ReconcilerOptions } from "./reconciler.ts";
export { createKubeClient, createKubeClientOver } from "./rest.ts";
export type { Transport, TransportRequest, TransportResponse } from "./transport.ts";
