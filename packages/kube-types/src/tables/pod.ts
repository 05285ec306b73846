/**
 * Pods. STATUS is not the phase: it is the most telling of phase, init progress, container states and deletion, in the order in which
 * Kubernetes' own printer looks at them. Source: Kubernetes documentation, "Debug Pods", "Pod Lifecycle".
 */
import { parseRfc3339 } from "@argyle/core";
import type { Container, ContainerStatus } from "../container.ts";
import type { Pod } from "../pod.ts";
import { ageColumn, ageOf, type Column, cellOf, NONE, nameColumn } from "./column.ts";

export const podColumns: readonly Column[] = [
  nameColumn,
  cellOf<Pod>("Ready", (pod) => summarizePod(pod).ready),
  cellOf<Pod>("Status", (pod) => summarizePod(pod).status),
  cellOf<Pod>("Restarts", (pod, nowMs) => {
    const { restarts, lastRestart } = summarizePod(pod);
    return restarts === 0 || lastRestart === undefined
      ? String(restarts)
      : `${restarts} (${ageOf(lastRestart, nowMs)} ago)`;
  }),
  ageColumn,
  cellOf<Pod>("IP", (pod) => pod.status?.podIPs?.[0]?.ip ?? (pod.status?.podIP || NONE), { wide: true }),
  cellOf<Pod>("Node", (pod) => pod.spec.nodeName || NONE, { wide: true }),
  cellOf<Pod>("Nominated Node", (pod) => pod.status?.nominatedNodeName || NONE, { wide: true }),
  cellOf<Pod>("Readiness Gates", readinessGates, { wide: true }),
];

export interface PodSummary {
  /** `1/2` */
  readonly ready: string;
  /** `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` … */
  readonly status: string;
  readonly restarts: number;
  /** When the last restarted container had ended. */
  readonly lastRestart: string | undefined;
}

export function summarizePod(pod: Pod): PodSummary {
  const init = readInit(pod);
  const counts = { ready: init.ready, restarts: init.restarts, lastRestart: init.lastRestart };
  let reason = init.reason ?? startReason(pod);
  if (init.reason === undefined || hasCondition(pod, "Initialized")) {
    counts.restarts = init.sidecarRestarts;
    counts.lastRestart = init.lastSidecarRestart;
    let hasRunning = false;
    for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
      counts.restarts += status.restartCount;
      counts.lastRestart = later(counts.lastRestart, status.lastState?.terminated?.finishedAt);
      const shown = stateReason(status);
      if (shown !== undefined) reason = shown;
      else if (status.ready && status.state?.running !== undefined) {
        hasRunning = true;
        counts.ready++;
      }
    }
    if (reason === "Completed" && hasRunning) reason = hasCondition(pod, "Ready") ? "Running" : "NotReady";
  }
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).length;
  return {
    ready: `${counts.ready}/${pod.spec.containers.length + sidecars}`,
    status: deletionReason(pod) ?? reason,
    restarts: counts.restarts,
    lastRestart: counts.lastRestart,
  };
}

function startReason(pod: Pod): string {
  const gated = pod.status?.conditions?.some((c) => c.type === "PodScheduled" && c.reason === "SchedulingGated");
  if (gated === true) return "SchedulingGated";
  return pod.status?.reason || (pod.status?.phase ?? "Unknown");
}

interface InitProgress {
  /** `Init:…` while an init container is not done. */
  readonly reason: string | undefined;
  readonly ready: number;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
  readonly sidecarRestarts: number;
  readonly lastSidecarRestart: string | undefined;
}

function readInit(pod: Pod): InitProgress {
  const containers = pod.spec.initContainers ?? [];
  const progress = {
    reason: undefined as string | undefined,
    ready: 0,
    restarts: 0,
    lastRestart: undefined as string | undefined,
    sidecarRestarts: 0,
    lastSidecarRestart: undefined as string | undefined,
  };
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const container = containers.find((c) => c.name === status.name);
    const finishedAt = status.lastState?.terminated?.finishedAt;
    progress.restarts += status.restartCount;
    progress.lastRestart = later(progress.lastRestart, finishedAt);
    if (isSidecar(container)) {
      progress.sidecarRestarts += status.restartCount;
      progress.lastSidecarRestart = later(progress.lastSidecarRestart, finishedAt);
    }
    if (status.state?.terminated?.exitCode === 0) continue;
    if (isSidecar(container) && status.started === true) {
      if (status.ready) progress.ready++;
      continue;
    }
    const waiting = status.state?.waiting?.reason ?? "";
    if (status.state?.terminated !== undefined) progress.reason = `Init:${stateReason(status) ?? ""}`;
    else if (waiting !== "" && waiting !== "PodInitializing") progress.reason = `Init:${waiting}`;
    else progress.reason = `Init:${index}/${containers.length}`;
    break;
  }
  return progress;
}

function stateReason(status: ContainerStatus): string | undefined {
  const { waiting, terminated } = status.state ?? {};
  if (waiting?.reason !== undefined && waiting.reason !== "") return waiting.reason;
  if (terminated === undefined) return undefined;
  if (terminated.reason !== undefined && terminated.reason !== "") return terminated.reason;
  const { signal } = terminated;
  return signal !== undefined && signal !== 0 ? `Signal:${signal}` : `ExitCode:${terminated.exitCode}`;
}

function deletionReason(pod: Pod): string | undefined {
  if (pod.metadata.deletionTimestamp === undefined) return undefined;
  if (pod.status?.reason === "NodeLost") return "Unknown";
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" ? undefined : "Terminating";
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === "Always";
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((c) => c.type === type && c.status === "True") === true;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (parseRfc3339(b) ?? 0) > (parseRfc3339(a) ?? 0) ? b : a;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`;
}
