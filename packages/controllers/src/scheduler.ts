/**
 * Scheduler: gives every pod without a node the node. There is one, so all it decides is whether the pod may run there: the node is ready
 * and not cordoned, its labels match nodeSelector, its taints are tolerated. When not, the pod says why and is looked at again with the next
 * change of a node. The reasons' wording is that of Kubernetes' FailedScheduling.
 */

import { rfc3339Seconds } from "@argyle/core";
import { createReconciler, isConflict, isNotFound, objectKey } from "@argyle/kube-client";
import { hasLabels, type Node, type Pod, type Taint, type Toleration } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { refOf } from "./ownership.ts";
import { isActive } from "./pod-state.ts";

export const scheduler: Controller = {
  name: "default-scheduler",
  needs: [KINDS.pod, KINDS.node],
  start,
};

/** Why the pod may not run on the node; undefined when it may. Pure. */
export function refusalOf(pod: Pod, node: Node): string | undefined {
  if (node.spec?.unschedulable === true) return "node(s) were unschedulable";
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  if (ready !== undefined && ready.status !== "True") return "node(s) were not ready";
  if (!hasLabels(pod.spec.nodeSelector, node.metadata.labels))
    return "node(s) didn't match Pod's node affinity/selector";
  const taint = node.spec?.taints?.find(
    (candidate) => candidate.effect !== "PreferNoSchedule" && !isTolerated(candidate, pod.spec.tolerations ?? []),
  );
  return taint === undefined ? undefined : `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`;
}

function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => {
    if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
    if (toleration.operator === "Exists") return (toleration.key ?? "") === "" || toleration.key === taint.key;
    return toleration.key === taint.key && (toleration.value ?? "") === (taint.value ?? "");
  });
}

function start(context: ControllerContext) {
  const { client, events } = context;
  const pods = context.informer<Pod>(KINDS.pod);
  const nodes = context.informer<Node>(KINDS.node);

  const bind = async (pod: Pod, node: Node) => {
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: refOf(pod),
      target: { apiVersion: "v1", kind: "Node", name: node.metadata.name },
    };
    try {
      await client.create(KINDS.pod, binding, "binding");
    } catch (thrown) {
      // Gone, or bound by somebody else in the meantime.
      if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown;
      return;
    }
    const message = `Successfully assigned ${objectKey(pod)} to ${node.metadata.name}`;
    events.event(pod, "Normal", "Scheduled", message);
  };

  const reject = async (pod: Pod, reasons: readonly string[], count: number) => {
    const message = `0/${count} nodes are available${reasons.length === 0 ? "." : `: ${reasons.join(", ")}.`}`;
    const held = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    if (held?.status === "False" && held.message === message) return;
    events.event(pod, "Warning", "FailedScheduling", message);
    const others = (pod.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
    const lastTransitionTime = held?.status === "False" ? held.lastTransitionTime : rfc3339Seconds(context.clock.now());
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime };
    const status = { conditions: [...others, condition] };
    await client.patch(KINDS.pod, refOf(pod), "merge", { status }, { subresource: "status" });
  };

  const reconciler = createReconciler({
    name: scheduler.name,
    clock: context.clock,
    log: context.log,
    random: context.random,
    concurrency: 8,
    async reconcile(key) {
      const pod = pods.get(key);
      if (pod === undefined || !isWaiting(pod)) return undefined;
      const candidates = nodes.list();
      const node = candidates.find((candidate) => refusalOf(pod, candidate) === undefined);
      if (node !== undefined) await bind(pod, node);
      else {
        const counts = new Map<string, number>();
        for (const candidate of candidates) {
          const reason = refusalOf(pod, candidate) ?? "";
          counts.set(reason, (counts.get(reason) ?? 0) + 1);
        }
        await reject(
          pod,
          [...counts].map(([reason, count]) => `${count} ${reason}`),
          candidates.length,
        );
      }
      return undefined;
    },
  });
  reconciler.watch(pods, (pod) => (isWaiting(pod) ? [objectKey(pod)] : []));
  reconciler.watch(nodes, () => pods.list().filter(isWaiting).map(objectKey));
  return { close: reconciler.close };
}

function isWaiting(pod: Pod): boolean {
  const { nodeName, schedulerName } = pod.spec;
  const isOurs = schedulerName === undefined || schedulerName === "default-scheduler";
  return isOurs && isActive(pod) && (nodeName === undefined || nodeName === "");
}
