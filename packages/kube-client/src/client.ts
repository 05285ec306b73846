/**
 * What every Kubernetes client in Argyle uses: controllers, kubelet, kube-proxy, istiod, the CLI. The REST rim is rest.ts.
 * Failures throw KubeError with the server's Status; reads of unknown shape are the caller's to narrow.
 */
import type { KubeObject, Resource } from "@argyle/kube-types";

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface KubeList<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

export type PatchType = "merge" | "json" | "strategic" | "apply";

export interface ObjectRef {
  readonly namespace?: string;
  readonly name: string;
}

export interface KubeClient {
  get<T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T>;
  /** Undefined instead of a 404. */
  find<T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource, namespace?: string, options?: ListOptions): Promise<KubeList<T>>;
  create<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string): Promise<T>;
  replace<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    type: PatchType,
    body: unknown,
    options?: { readonly subresource?: string; readonly fieldManager?: string; readonly force?: boolean },
  ): Promise<T>;
  delete(
    resource: Resource,
    ref: ObjectRef,
    options?: { readonly gracePeriodSeconds?: number; readonly uid?: string; readonly propagationPolicy?: string },
  ): Promise<void>;
  /** Ends when the server closes the stream; throws KubeError (410 Expired means list again). */
  watch<T extends KubeObject>(
    resource: Resource,
    options: ListOptions & {
      readonly namespace?: string;
      readonly resourceVersion?: string;
      readonly sendInitialEvents?: boolean;
    },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** Any other path; returns the parsed body. */
  raw(method: string, path: string, body?: unknown): Promise<unknown>;
  close(): void;
}
