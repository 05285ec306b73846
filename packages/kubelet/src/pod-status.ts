/**
 * PodStatus from the records, pure. Phase and conditions follow Kubernetes' getPhase and pod conditions; conditions of others (PodScheduled, readiness
 * gates) are kept; lastTransitionTime moves only when a condition's status does.
 * Source: Kubernetes, "Pod Lifecycle".
 */
import { rfc3339Seconds } from "@argyle/core";
import type {
  Condition,
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
} from "@argyle/kube-types";
import { type ContainerRecord, newRecord, type Termination } from "./container-record.ts";
import { isOver, restartPolicyOf } from "./decide.ts";

export interface StatusInputs {
  readonly pod: Pod;
  readonly records: ReadonlyMap<string, ContainerRecord>;
  readonly podIP: string | undefined;
  readonly hostIP: string;
  readonly now: number;
  /** When the kubelet first saw the pod. */
  readonly startTime: number;
  /** Set when the pod can't be set up (volumes): shown on every container that waits. */
  readonly setupFailure?: { readonly reason: string; readonly message: string };
}

export function computeStatus(inputs: StatusInputs): PodStatus {
  const { pod, podIP, hostIP } = inputs;
  const init = (pod.spec.initContainers ?? []).map((container) => containerStatus(container, inputs, true));
  const isInitialized = (pod.spec.initContainers ?? []).every((container) => isInitDone(container, inputs.records));
  const main = pod.spec.containers.map((container) => containerStatus(container, inputs, isInitialized));
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) => containerStatus(container, inputs, true));
  const phase = computePhase(inputs, isInitialized);
  const { qosClass, nominatedNodeName } = pod.status ?? {};
  return {
    phase,
    conditions: computeConditions(inputs, phase, isInitialized, main),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    startTime: rfc3339Seconds(inputs.startTime),
    qosClass: qosClass ?? computeQosClass(pod),
    ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    containerStatuses: main,
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
  };
}

export function containerID(pod: Pod, record: ContainerRecord): string {
  return `argyle://${pod.metadata.uid ?? ""}/${record.name}/${record.restartCount}`;
}

function computePhase(inputs: StatusInputs, isInitialized: boolean): PodPhase {
  const { pod, records } = inputs;
  const phases = pod.spec.containers.map((container) => records.get(container.name) ?? newRecord(container.name));
  if (isOver(pod, records)) {
    const allSucceeded = phases.every((r) => r.phase.kind === "terminated" && r.phase.exit.exitCode === 0);
    return isInitialized && allSucceeded ? "Succeeded" : "Failed";
  }
  if (!isInitialized) return "Pending";
  const waiting = phases.filter((r) => r.starts === 0 || (r.phase.kind === "starting" && r.last === undefined));
  if (waiting.length > 0) return "Pending";
  return "Running";
}

function containerStatus(container: Container, inputs: StatusInputs, isInitialized: boolean): ContainerStatus {
  const record = inputs.records.get(container.name) ?? newRecord(container.name);
  const { state, lastState } = containerState(container, record, inputs, isInitialized);
  const isInit = (inputs.pod.spec.initContainers ?? []).includes(container);
  const isInitReady = isInit && container.restartPolicy !== "Always" && state.terminated?.exitCode === 0;
  return {
    name: container.name,
    state,
    lastState,
    ready: isInitReady || record.ready,
    started: record.started,
    restartCount: record.restartCount,
    image: record.image ?? container.image ?? "",
    imageID: record.imageID ?? "",
    ...(record.starts === 0 ? {} : { containerID: containerID(inputs.pod, record) }),
  };
}

function containerState(
  container: Container,
  record: ContainerRecord,
  inputs: StatusInputs,
  isInitialized: boolean,
): { readonly state: ContainerState; readonly lastState: ContainerState } {
  const last: ContainerState = record.last === undefined ? {} : { terminated: terminated(record.last) };
  const { phase } = record;
  switch (phase.kind) {
    case "running":
      return { state: { running: { startedAt: rfc3339Seconds(phase.startedAt) } }, lastState: last };
    case "starting":
      return { state: { waiting: { reason: "ContainerCreating" } }, lastState: last };
    case "waiting": {
      if (phase.reason !== "PodInitializing") {
        const message = phase.message === undefined ? {} : { message: phase.message };
        return { state: { waiting: { reason: phase.reason, ...message } }, lastState: last };
      }
      if (inputs.setupFailure !== undefined) {
        return {
          state: { waiting: { reason: "ContainerCreating", message: inputs.setupFailure.message } },
          lastState: last,
        };
      }
      const reason = isInitialized ? "ContainerCreating" : "PodInitializing";
      return { state: { waiting: { reason } }, lastState: last };
    }
    case "terminated": {
      const willRestart = mayRestart(container, phase.exit, inputs);
      if (willRestart && record.notBefore > phase.exit.finishedAt) {
        const seconds = Math.round((record.notBefore - phase.exit.finishedAt) / 1000);
        const { name, namespace, uid } = inputs.pod.metadata;
        const message = `back-off ${seconds}s restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`;
        return {
          state: { waiting: { reason: "CrashLoopBackOff", message } },
          lastState: { terminated: terminated(phase.exit) },
        };
      }
      return { state: { terminated: terminated(phase.exit) }, lastState: last };
    }
  }
}

function mayRestart(container: Container, exit: Termination, inputs: StatusInputs): boolean {
  if (inputs.pod.metadata.deletionTimestamp !== undefined || isOver(inputs.pod, inputs.records)) return false;
  const isInit = (inputs.pod.spec.initContainers ?? []).includes(container);
  if (container.restartPolicy === "Always") return true;
  const policy = restartPolicyOf(inputs.pod);
  if (isInit || policy === "OnFailure") return policy !== "Never" && exit.exitCode !== 0;
  return policy === "Always";
}

function terminated(exit: Termination): NonNullable<ContainerState["terminated"]> {
  return {
    exitCode: exit.exitCode,
    ...(exit.signal === undefined ? {} : { signal: exit.signal }),
    reason: exit.reason,
    ...(exit.message === undefined ? {} : { message: exit.message }),
    startedAt: rfc3339Seconds(exit.startedAt),
    finishedAt: rfc3339Seconds(exit.finishedAt),
    containerID: exit.containerID,
  };
}

function isInitDone(container: Container, records: ReadonlyMap<string, ContainerRecord>): boolean {
  const record = records.get(container.name);
  if (record === undefined) return false;
  if (container.restartPolicy === "Always") return record.started;
  return record.phase.kind === "terminated" && record.phase.exit.exitCode === 0;
}

function computeConditions(
  inputs: StatusInputs,
  phase: PodPhase,
  isInitialized: boolean,
  containers: readonly ContainerStatus[],
): readonly Condition[] {
  const { pod } = inputs;
  const old = pod.status?.conditions ?? [];
  const isOverNow = phase === "Succeeded" || phase === "Failed";
  const notReady = containers.filter((c) => !c.ready).map((c) => c.name);
  const containersReason = isOverNow
    ? phase === "Succeeded"
      ? { reason: "PodCompleted" }
      : { reason: "PodFailed" }
    : { reason: "ContainersNotReady", message: `containers with unready status: [${notReady.join(" ")}]` };
  const areReady = !isOverNow && notReady.length === 0;
  const gates = (pod.spec.readinessGates ?? []).filter(
    (gate) => old.find((c) => c.type === gate.conditionType)?.status !== "True",
  );
  const gateReason = {
    reason: "ReadinessGatesNotReady",
    message: `corresponding condition of pod readiness gate "${gates[0]?.conditionType}" is not true`,
  };
  const unfinished = (pod.spec.initContainers ?? [])
    .filter((container) => !isInitDone(container, inputs.records))
    .map((container) => container.name);
  const own: readonly Condition[] = [
    condition("PodReadyToStartContainers", inputs.podIP !== undefined && !isOverNow, {}),
    condition("Initialized", isInitialized, {
      reason: "ContainersNotInitialized",
      message: `containers with incomplete status: [${unfinished.join(" ")}]`,
    }),
    condition("Ready", areReady && gates.length === 0, areReady ? gateReason : containersReason),
    condition("ContainersReady", areReady, containersReason),
  ];
  const ownTypes = new Set(own.map((c) => c.type));
  const scheduled = old.some((c) => c.type === "PodScheduled") ? [] : [condition("PodScheduled", true, {})];
  const dated = [...own, ...scheduled].map((next): Condition => {
    const before = old.find((c) => c.type === next.type);
    const since = before?.status === next.status ? before.lastTransitionTime : undefined;
    return { ...next, lastTransitionTime: since ?? rfc3339Seconds(inputs.now) };
  });
  return [...dated, ...old.filter((c) => !ownTypes.has(c.type))];
}

function condition(
  type: string,
  isTrue: boolean,
  otherwise: { readonly reason?: string; readonly message?: string },
): Condition {
  return { type, status: isTrue ? "True" : "False", ...(isTrue ? {} : otherwise) };
}

function computeQosClass(pod: Pod): "Guaranteed" | "Burstable" | "BestEffort" {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
    (container) => container.resources ?? {},
  );
  const isEmpty = (map: object | undefined) => map === undefined || Object.keys(map).length === 0;
  if (all.every((r) => isEmpty(r.requests) && isEmpty(r.limits))) return "BestEffort";
  const isGuaranteed = all.every((r) =>
    ["cpu", "memory"].every(
      (kind) =>
        r.limits?.[kind] !== undefined && (r.requests?.[kind] === undefined || r.requests[kind] === r.limits[kind]),
    ),
  );
  return isGuaranteed ? "Guaranteed" : "Burstable";
}
