/** What controllers ask about a pod. Pure. Source: Kubernetes, "Pod Lifecycle"; Deployment's minReadySeconds. */
import { parseRfc3339 } from "@argyle/core";
import type { Pod } from "@argyle/kube-types";

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Counts towards the replicas: neither finished nor on its way out. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

/** Milliseconds until a ready pod counts as available: 0 when it does, undefined when it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const condition = readyCondition(pod);
  if (condition?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const since = parseRfc3339(condition.lastTransitionTime ?? "") ?? nowMs;
  return Math.max(0, since + minReadySeconds * 1000 - nowMs);
}

export function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find((condition) => condition.type === "Ready");
}
