/**
 * The arithmetic of a rollout: how many replicas each ReplicaSet may have now. Pure numbers in and out.
 * Invariants: never more than replicas + maxSurge pods in all, never fewer than replicas - maxUnavailable available ones by our doing.
 * Source: Kubernetes, "Deployments" (rolling update, proportional scaling).
 */
import type { DeploymentSpec } from "@argyle/kube-types";

/** One ReplicaSet as the arithmetic sees it. */
export interface Share {
  readonly name: string;
  readonly replicas: number;
  readonly available: number;
}

export interface Limits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export function rolloutLimits(spec: DeploymentSpec): Limits {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return { maxSurge: 0, maxUnavailable: replicas };
  const rolling = spec.strategy?.rollingUpdate ?? {};
  const maxSurge = resolve(rolling.maxSurge ?? "25%", replicas, Math.ceil);
  const maxUnavailable = resolve(rolling.maxUnavailable ?? "25%", replicas, Math.floor);
  // Both zero would never move.
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

function resolve(value: number | string, replicas: number, round: (n: number) => number): number {
  if (typeof value === "number") return Math.max(0, value);
  const percent = /^(\d+)%$/.exec(value);
  return percent === null ? 0 : round((Number(percent[1]) * replicas) / 100);
}

/** How large the new ReplicaSet may be now. `others` are the old ones; `current` is undefined when it is about to be created. */
export function newReplicaCount(
  replicas: number,
  limits: Limits,
  current: Share | undefined,
  others: readonly Share[],
): number {
  const own = current?.replicas ?? 0;
  if (own > replicas) return replicas;
  const room = replicas + limits.maxSurge - own - total(others);
  return room <= 0 ? own : own + Math.min(room, replicas - own);
}

/** New sizes of old ReplicaSets (oldest first), only those that change. Unhealthy pods go first, then as many healthy ones as may be missed. */
export function scaleDownOld(
  replicas: number,
  limits: Limits,
  current: Share,
  old: readonly Share[],
): ReadonlyMap<string, number> {
  const minAvailable = replicas - limits.maxUnavailable;
  const newUnavailable = current.replicas - current.available;
  let mayRemove = total(old) + current.replicas - minAvailable - newUnavailable;
  const sizes = new Map(old.map((share) => [share.name, share.replicas]));
  for (const share of old) {
    if (mayRemove <= 0) break;
    const removed = Math.min(mayRemove, Math.max(0, share.replicas - share.available));
    sizes.set(share.name, share.replicas - removed);
    mayRemove -= removed;
  }
  let mayMiss = current.available + old.reduce((sum, share) => sum + share.available, 0) - minAvailable;
  for (const share of old) {
    if (mayMiss <= 0) break;
    const size = sizes.get(share.name) ?? 0;
    const removed = Math.min(mayMiss, size);
    sizes.set(share.name, size - removed);
    mayMiss -= removed;
  }
  return new Map(old.flatMap((share) => changed(share, sizes.get(share.name) ?? 0)));
}

/** When a Deployment is scaled in the middle of a rollout its ReplicaSets grow or shrink in proportion; the largest takes the rest. */
export function scaleProportionally(wanted: number, shares: readonly Share[]): ReadonlyMap<string, number> {
  const have = total(shares);
  const difference = wanted - have;
  if (difference === 0 || have === 0) return new Map();
  const bySize = [...shares].sort((a, b) => b.replicas - a.replicas);
  let left = difference;
  const sizes = new Map<string, number>();
  for (const share of bySize) {
    const part = Math.round((share.replicas * wanted) / have) - share.replicas;
    const step = difference > 0 ? Math.min(Math.max(part, 0), left) : Math.max(Math.min(part, 0), left);
    sizes.set(share.name, share.replicas + step);
    left -= step;
  }
  const largest = bySize[0];
  if (largest !== undefined) sizes.set(largest.name, Math.max(0, (sizes.get(largest.name) ?? 0) + left));
  return new Map(shares.flatMap((share) => changed(share, sizes.get(share.name) ?? share.replicas)));
}

function total(shares: readonly Share[]): number {
  return shares.reduce((sum, share) => sum + share.replicas, 0);
}

function changed(share: Share, size: number): [string, number][] {
  return size === share.replicas ? [] : [[share.name, size]];
}
