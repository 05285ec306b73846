/**
 * Pods that go away by number or because nobody runs them: finished pods beyond a number, pods whose node is gone, pods that were deleted
 * before they had a node. One sweep a minute; the first right after the start. (Events expire in the API server.)
 * Source: Kubernetes, "Pod Lifecycle" (pod garbage collection).
 */
import { createReconciler, isNotFound } from "@argyle/kube-client";
import type { KubeObject, Node, Pod, Resource } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { refOf } from "./ownership.ts";
import { isFinished } from "./pod-state.ts";

export const podGcController: Controller = {
  name: "pod-garbage-collector",
  needs: [KINDS.pod, KINDS.node],
  start(context) {
    const pods = context.informer<Pod>(KINDS.pod);
    const nodes = context.informer<Node>(KINDS.node);
    return sweepEvery(context, podGcController.name, () =>
      removeAll(
        context,
        KINDS.pod,
        abandonedPods(pods.list(), new Set(nodes.list().map((node) => node.metadata.name))),
      ),
    );
  },
};

const SWEEP_MS = 60_000;
const MAX_FINISHED_PODS = 500;

export function abandonedPods(pods: readonly Pod[], nodeNames: ReadonlySet<string>): readonly Pod[] {
  const finished = pods
    .filter((pod) => isFinished(pod) && pod.metadata.deletionTimestamp === undefined)
    .sort((a, b) => ((a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? -1 : 1));
  const surplus = new Set(finished.slice(0, Math.max(0, finished.length - MAX_FINISHED_PODS)));
  return pods.filter((pod) => {
    const nodeName = pod.spec.nodeName ?? "";
    if (surplus.has(pod)) return true;
    // Without any node the cluster is still starting: nothing is abandoned yet.
    if (nodeName !== "") return nodeNames.size > 0 && !nodeNames.has(nodeName);
    return pod.metadata.deletionTimestamp !== undefined;
  });
}

async function removeAll(
  context: ControllerContext,
  resource: Resource,
  objects: readonly KubeObject[],
): Promise<void> {
  for (const object of objects) {
    try {
      await context.client.delete(resource, refOf(object), { gracePeriodSeconds: 0 });
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }
}

function sweepEvery(context: ControllerContext, name: string, sweep: () => Promise<void>) {
  const { clock, log, random } = context;
  const reconciler = createReconciler({
    name,
    clock,
    log,
    random,
    async reconcile() {
      await sweep();
      return { requeueAfterMs: SWEEP_MS };
    },
  });
  reconciler.enqueue("sweep");
  return { close: reconciler.close };
}
