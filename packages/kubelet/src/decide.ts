/**
 * What to do next for a pod: a pure function of its spec and the records of its containers. The rim (pod-worker.ts) carries the actions out, records
 * what came of them and asks again. Rules, in this order:
 *   1. Being deleted, or over: everything that runs is told to end; a deleted pod is removed when nothing runs.
 *   2. Init containers one after the other; one with restartPolicy Always (native sidecar) counts as done once it has started.
 *   3. The proxy containers, then all others, these only when every proxy has been ready once (its first ACK).
 *   4. A container that ended is started again as restartPolicy says, not before its back-off ends.
 */
import type { Container, Pod } from "@argyle/kube-types";
import type { ContainerRecord } from "./container-record.ts";
import { newRecord } from "./container-record.ts";

export type PodAction =
  | { readonly kind: "start"; readonly container: string }
  | { readonly kind: "kill"; readonly container: string; readonly reason: string; readonly graceMs: number }
  | { readonly kind: "remove" };

export interface Decision {
  readonly actions: readonly PodAction[];
  /** Epoch milliseconds at which to ask again, if nothing happens before. */
  readonly wakeAt?: number;
}

export interface DecideInputs {
  readonly pod: Pod;
  readonly records: ReadonlyMap<string, ContainerRecord>;
  readonly now: number;
  /** Containers whose image is a hosted proxy. */
  readonly isProxy: (container: Container) => boolean;
}

export type RestartPolicy = "Always" | "OnFailure" | "Never";

export function decide(inputs: DecideInputs): Decision {
  const { pod, records, now } = inputs;
  const record = (container: Container) => records.get(container.name) ?? newRecord(container.name);
  const all = allContainers(pod);
  if (pod.metadata.deletionTimestamp !== undefined || isOver(pod, records)) {
    return end(inputs, all);
  }
  const starts: Container[] = [];
  const policy = restartPolicyOf(pod);

  let isInitialized = true;
  for (const container of pod.spec.initContainers ?? []) {
    const current = record(container);
    const isSidecar = container.restartPolicy === "Always";
    if (isSidecar ? current.started : hasSucceeded(current)) continue;
    isInitialized = false;
    if (mayStart(current, isSidecar ? "Always" : policy === "Always" ? "OnFailure" : policy)) starts.push(container);
    break;
  }
  // A native sidecar that died comes back whatever the others do.
  for (const container of pod.spec.initContainers ?? []) {
    const isSidecar = container.restartPolicy === "Always";
    if (isSidecar && record(container).starts > 0 && mayStart(record(container), "Always")) starts.push(container);
  }
  if (isInitialized) {
    const proxies = pod.spec.containers.filter(inputs.isProxy);
    const isOpen = proxies.every((container) => record(container).wasReady);
    for (const container of pod.spec.containers) {
      if (!isOpen && !proxies.includes(container)) continue;
      if (mayStart(record(container), policy)) starts.push(container);
    }
    for (const container of pod.spec.ephemeralContainers ?? []) {
      if (mayStart(record(container), "Never")) starts.push(container);
    }
  }
  const due = new Set(starts.filter((container) => record(container).notBefore <= now));
  const later = starts.filter((container) => !due.has(container)).map((container) => record(container).notBefore);
  const outdated = pod.spec.containers.filter((container) => isOutdated(container, record(container)));
  return {
    actions: [
      ...outdated.map((container) => kill(pod, container.name, `container ${container.name} definition changed`)),
      ...[...due].map((container): PodAction => ({ kind: "start", container: container.name })),
    ],
    ...(later.length === 0 ? {} : { wakeAt: Math.min(...later) }),
  };
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  return pod.spec.restartPolicy ?? "Always";
}

/** In the order in which they start. */
export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])];
}

/** No container will ever be started again: all ended for good, or an init container failed for good. */
export function isOver(pod: Pod, records: ReadonlyMap<string, ContainerRecord>): boolean {
  const policy = restartPolicyOf(pod);
  if (policy === "Always") return false;
  const failedInit = (pod.spec.initContainers ?? []).some((container) => {
    const phase = records.get(container.name)?.phase;
    return (
      container.restartPolicy !== "Always" &&
      policy === "Never" &&
      phase?.kind === "terminated" &&
      phase.exit.exitCode !== 0
    );
  });
  if (failedInit) return true;
  return pod.spec.containers.every((container) => {
    const phase = records.get(container.name)?.phase;
    return phase?.kind === "terminated" && (policy === "Never" || phase.exit.exitCode === 0);
  });
}

/** A process that is just being started is waited for; a proxy that no worker has taken up yet can be withdrawn. */
function end(inputs: DecideInputs, containers: readonly Container[]): Decision {
  const { pod, records, isProxy } = inputs;
  const alive = containers.filter((container) => {
    const kind = records.get(container.name)?.phase.kind;
    return kind === "running" || kind === "starting";
  });
  if (alive.length === 0) {
    return { actions: pod.metadata.deletionTimestamp === undefined ? [] : [{ kind: "remove" }] };
  }
  const endable = alive.filter((container) => {
    const record = records.get(container.name);
    return record?.killing === undefined && (record?.phase.kind === "running" || isProxy(container));
  });
  return { actions: endable.map(({ name }) => kill(pod, name, `Stopping container ${name}`)) };
}

function kill(pod: Pod, container: string, reason: string): PodAction {
  const seconds = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return { kind: "kill", container, reason, graceMs: seconds * 1000 };
}

function mayStart(record: ContainerRecord, policy: RestartPolicy): boolean {
  switch (record.phase.kind) {
    case "waiting":
      return true;
    case "starting":
    case "running":
      return false;
    case "terminated":
      return policy === "Always" || (policy === "OnFailure" && record.phase.exit.exitCode !== 0);
  }
}

function hasSucceeded(record: ContainerRecord): boolean {
  return record.phase.kind === "terminated" && record.phase.exit.exitCode === 0;
}

function isOutdated(container: Container, record: ContainerRecord): boolean {
  return record.phase.kind === "running" && record.killing === undefined && record.image !== container.image;
}
