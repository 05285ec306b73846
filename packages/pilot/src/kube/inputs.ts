/**
 * istiod's informers: every kind it reads is followed, and changes that arrive in the same turn of the event loop are applied as one.
 * The mesh configuration is ConfigMap `istio` of the control plane's namespace.
 */
import { type Clock, describeError, type Logger } from "@argyle/core";
import { createInformer, type Informer, type KubeClient } from "@argyle/kube-client";
import { type ConfigMap, type KubeObject, type Namespace, resourceOf } from "@argyle/kube-types";
import { type ObjectChange, WATCHED_KINDS } from "../collections.ts";
import { type MeshConfig, parseMeshConfig } from "../model/mesh-config.ts";

export interface KubeInputsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  apply(changes: readonly ObjectChange[]): void;
  setMeshConfig(mesh: MeshConfig): void;
}

export interface KubeInputs {
  /** All kinds have been listed once and applied. */
  readonly synced: Promise<void>;
  readonly namespaces: Informer<Namespace>;
  close(): Promise<void>;
}

export function startKubeInputs(options: KubeInputsOptions): KubeInputs {
  const { client, clock, log, namespace } = options;
  let pending: ObjectChange[] = [];
  let isBooked = false;
  const flush = () => {
    isBooked = false;
    const batch = pending;
    pending = [];
    if (batch.length > 0) options.apply(batch);
  };
  const book = (change: ObjectChange) => {
    pending.push(change);
    if (isBooked) return;
    isBooked = true;
    setImmediate(flush);
  };

  const informers = WATCHED_KINDS.map((kind) => {
    const informer = createInformer<KubeObject>({ client, resource: resourceOf(kind), clock, log });
    informer.onChange((change) =>
      // Items of a list carry no kind; the informer knows it.
      book({ type: change.type === "DELETED" ? "delete" : "set", object: withKind(change.object, kind) }),
    );
    return informer;
  });
  const namespaces = createInformer<Namespace>({ client, resource: resourceOf("Namespace"), clock, log });
  const meshConfigs = createInformer<ConfigMap>({
    client,
    resource: resourceOf("ConfigMap"),
    namespace,
    fieldSelector: "metadata.name=istio",
    clock,
    log,
  });
  meshConfigs.onChange((change) => {
    if (change.object.metadata.name !== "istio") return;
    const text = change.type === "DELETED" ? "" : (change.object.data?.mesh ?? "");
    try {
      options.setMeshConfig(parseMeshConfig(text));
    } catch (error) {
      log.error("the mesh configuration cannot be read; the previous one stays in force", {
        error: describeError(error),
      });
    }
  });
  const all = [...informers, namespaces, meshConfigs];
  const synced = Promise.all(all.map((informer) => informer.synced)).then(flush);
  synced.catch(() => undefined);
  return {
    synced,
    namespaces,
    async close() {
      await Promise.all(all.map((informer) => informer.close()));
    },
  };
}

const named = new WeakMap<KubeObject, KubeObject>();

function withKind(object: KubeObject, kind: string): KubeObject {
  if (object.kind === kind) return object;
  let full = named.get(object);
  if (full === undefined) {
    full = { ...object, kind };
    named.set(object, full);
  }
  return full;
}
