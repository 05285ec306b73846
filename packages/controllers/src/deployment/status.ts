/**
 * DeploymentStatus and its conditions, as `kubectl rollout status`, `kubectl wait` and helm read them. Pure.
 * Source: Kubernetes, "Deployments" (Deployment status); API reference, DeploymentCondition.
 */
import { parseRfc3339, rfc3339Seconds } from "@argyle/core";
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "@argyle/kube-types";
import { rolloutLimits } from "./rolling.ts";

export interface StatusInput {
  readonly deployment: Deployment;
  readonly newReplicaSet: ReplicaSet | undefined;
  readonly all: readonly ReplicaSet[];
  /** Said by this reconciliation: a ReplicaSet was made or found. */
  readonly progress: { readonly reason: string; readonly message: string } | undefined;
  readonly nowMs: number;
}

export interface StatusOutcome {
  readonly status: DeploymentStatus;
  /** When the progress deadline passes. */
  readonly deadlineInMs?: number;
}

const PROGRESSED = "NewReplicaSetAvailable";
const TIMED_OUT = "ProgressDeadlineExceeded";

export function buildDeploymentStatus(input: StatusInput): StatusOutcome {
  const { deployment, newReplicaSet, all } = input;
  const held = deployment.status ?? {};
  const sum = (count: (replicaSet: ReplicaSet) => number | undefined) =>
    all.reduce((total, replicaSet) => total + (count(replicaSet) ?? 0), 0);
  const availableReplicas = sum((rs) => rs.status?.availableReplicas);
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 1,
    replicas: sum((rs) => rs.status?.replicas),
    updatedReplicas: newReplicaSet?.status?.replicas ?? 0,
    readyReplicas: sum((rs) => rs.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum((rs) => rs.spec.replicas ?? 1) - availableReplicas),
  };
  const collision = held.collisionCount === undefined ? {} : { collisionCount: held.collisionCount };
  const conditions = createConditions(held.conditions ?? [], input.nowMs);
  conditions.set(availableCondition(deployment, availableReplicas));
  const deadlineInMs = setProgress(input, counts, conditions);
  const failure = newReplicaSet?.status?.conditions?.find((condition) => condition.type === "ReplicaFailure");
  if (failure === undefined) conditions.remove("ReplicaFailure");
  else
    conditions.set({
      type: "ReplicaFailure",
      status: failure.status,
      reason: failure.reason ?? "",
      message: failure.message ?? "",
    });
  const status = { ...counts, ...collision, conditions: conditions.list() };
  return deadlineInMs === undefined ? { status } : { status, deadlineInMs };
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    status.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 1)
  );
}

function availableCondition(deployment: Deployment, available: number): Said {
  const replicas = deployment.spec.replicas ?? 1;
  return available >= replicas - rolloutLimits(deployment.spec).maxUnavailable
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

/** Sets the Progressing condition; returns how long there is until the deadline, while it runs. */
function setProgress(input: StatusInput, next: DeploymentStatus, conditions: Conditions): number | undefined {
  const { deployment, newReplicaSet, progress, nowMs } = input;
  const held = deployment.status ?? {};
  const subject =
    newReplicaSet === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${newReplicaSet.metadata.name}"`;
  const say = (status: Said["status"], reason: string, message: string) =>
    conditions.set({ type: "Progressing", status, reason, message });
  const current = conditions.get("Progressing");

  if (deployment.spec.paused === true) {
    if (current?.reason !== TIMED_OUT) say("Unknown", "DeploymentPaused", "Deployment is paused");
    return undefined;
  }
  if (progress !== undefined) say("True", progress.reason, progress.message);
  else if (current?.reason === "DeploymentPaused") say("Unknown", "DeploymentResumed", "Deployment is resumed");
  if (isComplete(deployment, next)) {
    say("True", PROGRESSED, `${subject} has successfully progressed.`);
    return undefined;
  }
  // Once it has rolled out, a pod that becomes unready is no new rollout.
  if (current?.reason === PROGRESSED && next.replicas === next.updatedReplicas && progress === undefined)
    return undefined;
  const hasAdvanced =
    (next.updatedReplicas ?? 0) > (held.updatedReplicas ?? 0) ||
    (next.readyReplicas ?? 0) > (held.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (held.availableReplicas ?? 0) ||
    (next.replicas ?? 0) - (next.updatedReplicas ?? 0) < (held.replicas ?? 0) - (held.updatedReplicas ?? 0);
  if (hasAdvanced)
    conditions.renew({
      type: "Progressing",
      status: "True",
      reason: "ReplicaSetUpdated",
      message: `${subject} is progressing.`,
    });
  const now = conditions.get("Progressing");
  if (now === undefined || now.reason === TIMED_OUT) return undefined;
  const since = parseRfc3339(now.lastUpdateTime ?? now.lastTransitionTime ?? "") ?? nowMs;
  const leftMs = since + (deployment.spec.progressDeadlineSeconds ?? 600) * 1000 - nowMs;
  if (leftMs > 0) return leftMs;
  say("False", TIMED_OUT, `${subject} has timed out progressing.`);
  return undefined;
}

type Said = Omit<DeploymentCondition, "lastTransitionTime" | "lastUpdateTime">;

interface Conditions {
  get(type: string): DeploymentCondition | undefined;
  /** Writes nothing when status and reason are what they were; lastTransitionTime moves with the status only. */
  set(condition: Said): void;
  /** As set, and says that something moved just now. */
  renew(condition: Said): void;
  remove(type: string): void;
  list(): readonly DeploymentCondition[];
}

function createConditions(held: readonly DeploymentCondition[], nowMs: number): Conditions {
  const conditions = new Map(held.map((condition) => [condition.type, condition]));
  const now = rfc3339Seconds(nowMs);
  const write = (next: Said) => {
    const old = conditions.get(next.type);
    const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? now) : now;
    conditions.set(next.type, { ...next, lastUpdateTime: now, lastTransitionTime });
  };
  return {
    get: (type) => conditions.get(type),
    set(next) {
      const old = conditions.get(next.type);
      if (old?.status !== next.status || old.reason !== next.reason || old.message !== next.message) write(next);
    },
    renew: write,
    remove: (type) => void conditions.delete(type),
    list: () => [...conditions.values()],
  };
}
