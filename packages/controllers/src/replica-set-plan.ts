/**
 * What a ReplicaSet wants: how many pods to make, which to remove, and its status. Pure.
 * Source: Kubernetes, "ReplicaSet" (pod deletion order, pod-deletion-cost); API reference, ReplicaSetStatus.
 */
import { parseRfc3339, rfc3339Seconds } from "@argyle/core";
import { type Condition, hasLabels, type Pod, type ReplicaSet } from "@argyle/kube-types";
import { availableInMs, isActive, isReady, readyCondition } from "./pod-state.ts";

export interface ReplicaSetPlan {
  readonly createCount: number;
  readonly remove: readonly Pod[];
}

export type ReplicaSetStatus = NonNullable<ReplicaSet["status"]>;

/** `pods` are those it owns; `expectedCount` are creations that the watch has not shown yet. */
export function planReplicaSet(replicaSet: ReplicaSet, pods: readonly Pod[], expectedCount: number): ReplicaSetPlan {
  const active = pods.filter(isActive);
  const difference = (replicaSet.spec.replicas ?? 1) - active.length - expectedCount;
  if (difference > 0) return { createCount: difference, remove: [] };
  // Removing waits for pods that are still to show up: which one is least wanted is not known before.
  if (difference < 0 && expectedCount === 0)
    return { createCount: 0, remove: [...active].sort(byLeastWanted).slice(0, -difference) };
  return { createCount: 0, remove: [] };
}

export function buildReplicaSetStatus(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  failure: string | undefined,
  nowMs: number,
): { readonly status: ReplicaSetStatus; readonly nextChangeMs?: number } {
  const active = pods.filter(isActive);
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0;
  const waits = active.map((pod) => availableInMs(pod, minReadySeconds, nowMs));
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  const templateLabels = replicaSet.spec.template?.metadata?.labels;
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => hasLabels(templateLabels, pod.metadata.labels)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    observedGeneration: replicaSet.metadata.generation ?? 1,
    conditions: failureConditions(replicaSet.status?.conditions ?? [], failure, nowMs),
  };
  return pending.length === 0 ? { status } : { status, nextChangeMs: Math.min(...pending) };
}

function failureConditions(held: readonly Condition[], failure: string | undefined, nowMs: number): Condition[] {
  const others = held.filter((condition) => condition.type !== "ReplicaFailure");
  if (failure === undefined) return others;
  const known = held.find((condition) => condition.type === "ReplicaFailure" && condition.status === "True");
  const lastTransitionTime = known?.lastTransitionTime ?? rfc3339Seconds(nowMs);
  return [
    ...others,
    { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: failure, lastTransitionTime },
  ];
}

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

/** Sorts the pods that may go first to the front. */
function byLeastWanted(a: Pod, b: Pod): number {
  return (
    Number(isAssigned(a)) - Number(isAssigned(b)) ||
    (PHASE_RANK[a.status?.phase ?? "Pending"] ?? 0) - (PHASE_RANK[b.status?.phase ?? "Pending"] ?? 0) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    costOf(a) - costOf(b) ||
    readySince(b) - readySince(a) ||
    restartsOf(b) - restartsOf(a) ||
    createdAt(b) - createdAt(a)
  );
}

function isAssigned(pod: Pod): boolean {
  return pod.spec.nodeName !== undefined && pod.spec.nodeName !== "";
}

function costOf(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}

function readySince(pod: Pod): number {
  return isReady(pod) ? (parseRfc3339(readyCondition(pod)?.lastTransitionTime ?? "") ?? 0) : 0;
}

function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0));
}

function createdAt(pod: Pod): number {
  return parseRfc3339(pod.metadata.creationTimestamp ?? "") ?? 0;
}
