/**
 * What a Deployment does next, from what is there: pure. One reconciliation makes one step; the ReplicaSets' status changes bring the next.
 * Order, as in Kubernetes: find or make the ReplicaSet of the current template, scale when asked to, roll by strategy, clean up history.
 * Source: Kubernetes, "Deployments".
 */
import { type Deployment, REVISION_ANNOTATION, type ReplicaSet } from "@argyle/kube-types";
import { newReplicaCount, rolloutLimits, type Share, scaleDownOld, scaleProportionally } from "./rolling.ts";
import { hashTemplate, isSameTemplate } from "./template-hash.ts";

export const DESIRED_ANNOTATION = "deployment.kubernetes.io/desired-replicas";
const MAX_ANNOTATION = "deployment.kubernetes.io/max-replicas";

export interface DeploymentPlan {
  readonly newReplicaSet: ReplicaSet | undefined;
  /** To be created with this size, as `newReplicaSet` is undefined. */
  readonly create: { readonly hash: string; readonly replicas: number } | undefined;
  /** New sizes by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Annotations that ReplicaSets shall have, by name; only where they differ. */
  readonly annotations: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly remove: readonly ReplicaSet[];
  readonly revision: string | undefined;
}

/** `hasOldPods`: pods of old ReplicaSets still run (Recreate waits for them). */
export function planDeployment(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  hasOldPods: boolean,
): DeploymentPlan {
  const { spec } = deployment;
  const replicas = spec.replicas ?? 1;
  const byAge = [...all].sort(byCreation);
  const newReplicaSet = byAge.find((candidate) => isSameTemplate(candidate.spec.template, spec.template));
  const old = byAge.filter((candidate) => candidate !== newReplicaSet);
  const revision = newRevision(newReplicaSet, old);
  const limits = rolloutLimits(spec);
  const plan = {
    newReplicaSet,
    create: undefined,
    sizes: new Map<string, number>(),
    remove: historyToRemove(deployment, old, newReplicaSet),
    revision,
  };
  const finish = (sizes: ReadonlyMap<string, number>): DeploymentPlan => ({
    ...plan,
    sizes,
    annotations: annotationsOf(deployment, all, newReplicaSet, revision, replicas + limits.maxSurge),
  });

  if (spec.paused === true || isScaled(all, replicas)) return finish(scale(deployment, newReplicaSet, old));
  if (spec.strategy?.type === "Recreate") {
    const running = old.filter((candidate) => sizeOf(candidate) > 0);
    if (running.length > 0) return finish(new Map(running.map((candidate) => [candidate.metadata.name, 0])));
    if (hasOldPods) return finish(new Map());
    if (newReplicaSet === undefined) return { ...finish(new Map()), create: { hash: hashOf(deployment), replicas } };
    return finish(sizeOf(newReplicaSet) === replicas ? new Map() : new Map([[newReplicaSet.metadata.name, replicas]]));
  }
  const current = newReplicaSet === undefined ? undefined : shareOf(newReplicaSet);
  const others = old.map(shareOf);
  const size = newReplicaCount(replicas, limits, current, others);
  if (current === undefined) return { ...finish(new Map()), create: { hash: hashOf(deployment), replicas: size } };
  if (size !== current.replicas) return finish(new Map([[current.name, size]]));
  return finish(
    scaleDownOld(
      replicas,
      limits,
      current,
      others.filter((share) => share.replicas > 0),
    ),
  );
}

/** Annotations of a Deployment that its ReplicaSets carry too: all but those that belong to one object. */
export function inheritedAnnotations(deployment: Deployment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(
      ([key]) =>
        key !== "kubectl.kubernetes.io/last-applied-configuration" && !key.startsWith("deployment.kubernetes.io/"),
    ),
  );
}

export function sizeAnnotations(deployment: Deployment, maxReplicas?: number): Readonly<Record<string, string>> {
  const replicas = deployment.spec.replicas ?? 1;
  const most = maxReplicas ?? replicas + rolloutLimits(deployment.spec).maxSurge;
  return { [DESIRED_ANNOTATION]: String(replicas), [MAX_ANNOTATION]: String(most) };
}

function scale(deployment: Deployment, newReplicaSet: ReplicaSet | undefined, old: readonly ReplicaSet[]) {
  const replicas = deployment.spec.replicas ?? 1;
  const all = newReplicaSet === undefined ? old : [...old, newReplicaSet];
  const active = all.filter((candidate) => sizeOf(candidate) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newReplicaSet ?? old.at(-1);
    return only === undefined || sizeOf(only) === replicas ? new Map() : new Map([[only.metadata.name, replicas]]);
  }
  if (newReplicaSet !== undefined && isSaturated(newReplicaSet, replicas))
    return new Map(
      active.filter((candidate) => candidate !== newReplicaSet).map((candidate) => [candidate.metadata.name, 0]),
    );
  if (deployment.spec.strategy?.type === "Recreate") return new Map();
  const wanted = replicas === 0 ? 0 : replicas + rolloutLimits(deployment.spec).maxSurge;
  return scaleProportionally(wanted, active.map(shareOf));
}

function isSaturated(replicaSet: ReplicaSet, replicas: number): boolean {
  return (
    sizeOf(replicaSet) === replicas &&
    replicaSet.metadata.annotations?.[DESIRED_ANNOTATION] === String(replicas) &&
    (replicaSet.status?.availableReplicas ?? 0) === replicas
  );
}

/** spec.replicas was changed since the ReplicaSets were last sized. */
function isScaled(all: readonly ReplicaSet[], replicas: number): boolean {
  return all.some((candidate) => {
    const desired = candidate.metadata.annotations?.[DESIRED_ANNOTATION];
    return sizeOf(candidate) > 0 && desired !== undefined && desired !== String(replicas);
  });
}

/** The current template always has the highest revision, also after a rollback to an old one. */
function newRevision(newReplicaSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): string {
  const highest = Math.max(0, ...old.map(revisionOf));
  const own = newReplicaSet === undefined ? 0 : revisionOf(newReplicaSet);
  return String(own > highest ? own : highest + 1);
}

function annotationsOf(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
  revision: string,
  maxReplicas: number,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const wanted = new Map<string, Readonly<Record<string, string>>>();
  for (const replicaSet of all) {
    const isNew = replicaSet === newReplicaSet;
    const target = {
      ...(isNew || sizeOf(replicaSet) > 0 ? sizeAnnotations(deployment, maxReplicas) : {}),
      ...(isNew ? { ...inheritedAnnotations(deployment), [REVISION_ANNOTATION]: revision } : {}),
    };
    const held = replicaSet.metadata.annotations ?? {};
    if (Object.entries(target).some(([key, value]) => held[key] !== value))
      wanted.set(replicaSet.metadata.name, target);
  }
  return wanted;
}

function historyToRemove(
  deployment: Deployment,
  old: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
): readonly ReplicaSet[] {
  if (newReplicaSet === undefined) return [];
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const idle = old.filter(
    (candidate) =>
      sizeOf(candidate) === 0 &&
      (candidate.status?.replicas ?? 0) === 0 &&
      candidate.metadata.deletionTimestamp === undefined &&
      (candidate.status?.observedGeneration ?? 0) >= (candidate.metadata.generation ?? 1),
  );
  return idle.sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, idle.length - limit));
}

function hashOf(deployment: Deployment): string {
  return hashTemplate(deployment.spec.template, deployment.status?.collisionCount);
}

function shareOf(replicaSet: ReplicaSet): Share {
  return {
    name: replicaSet.metadata.name,
    replicas: sizeOf(replicaSet),
    available: replicaSet.status?.availableReplicas ?? 0,
  };
}

function sizeOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 1;
}

function revisionOf(replicaSet: ReplicaSet): number {
  return Number(replicaSet.metadata.annotations?.[REVISION_ANNOTATION] ?? 0) || 0;
}

function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""];
  return left < right ? -1 : left > right ? 1 : revisionOf(a) - revisionOf(b);
}
