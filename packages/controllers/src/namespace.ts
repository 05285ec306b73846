/**
 * Namespace deletion: a terminating namespace's objects of every kind are deleted, and when none is left its finalizer is taken away, so
 * that the API server drops it. Objects with finalizers and pods in their grace period are waited for.
 * Source: Kubernetes, "Namespaces Walkthrough"; API reference, NamespaceSpec.finalizers.
 */
import { createReconciler, isNotFound, objectKey } from "@argyle/kube-client";
import { type KubeObject, type Namespace, RESOURCES } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { refOf } from "./ownership.ts";

export const namespaceController: Controller = {
  name: "namespace-controller",
  needs: [KINDS.namespace],
  start,
};

const FINALIZER = "kubernetes";
const RECHECK_MS = 100;

function start(context: ControllerContext) {
  const { client } = context;
  const namespaces = context.informer<Namespace>(KINDS.namespace);

  /** Deletes everything that can be; returns how much is still there. */
  const deleteContent = async (name: string): Promise<number> => {
    let left = 0;
    for (const resource of RESOURCES) {
      if (!resource.namespaced) continue;
      const { items } = await client.list<KubeObject>(resource, name);
      for (const object of items) {
        if (object.metadata.deletionTimestamp === undefined) {
          try {
            await client.delete(resource, refOf(object), { propagationPolicy: "Background" });
          } catch (thrown) {
            if (!isNotFound(thrown)) throw thrown;
          }
        }
      }
      left += items.length;
    }
    return left;
  };

  const reconciler = createReconciler({
    name: namespaceController.name,
    clock: context.clock,
    log: context.log,
    random: context.random,
    concurrency: 2,
    async reconcile(key) {
      const namespace = namespaces.get(key);
      if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
      const finalizers = namespace.spec?.finalizers ?? [];
      if (!finalizers.includes(FINALIZER)) return undefined;
      if (namespace.status?.phase !== "Terminating") {
        const status = { phase: "Terminating" };
        await client.patch(KINDS.namespace, refOf(namespace), "merge", { status }, { subresource: "status" });
      }
      if ((await deleteContent(key)) > 0) return { requeueAfterMs: RECHECK_MS };
      const current = await client.find<Namespace>(KINDS.namespace, { name: key });
      if (current === undefined || current.metadata.uid !== namespace.metadata.uid) return undefined;
      const spec = { ...current.spec, finalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER) };
      await client.replace(KINDS.namespace, { ...current, spec }, "finalize");
      return undefined;
    },
  });
  reconciler.watch(namespaces, (namespace) => [objectKey(namespace)]);
  return { close: reconciler.close };
}
