/**
 * Samples what containers use, every few seconds: rates for `kubectl top`, and the memory limit. A container whose process tree holds more than its
 * limit is killed as OOMKilled. A hosted proxy has no process of its own: it is given an even share of its worker's.
 */
import type { Clock, Timer } from "@argyle/core";
import { parseQuantity } from "@argyle/kube-types";
import { allContainers } from "./decide.ts";
import type { PodWorker } from "./pod-worker.ts";
import { readProcessTable, type TreeUsage, treeUsage } from "./process-table.ts";

export interface ContainerUsage {
  readonly container: string;
  readonly startedAt: number;
  readonly cpuSeconds: number;
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

export interface PodUsage {
  readonly worker: PodWorker;
  readonly containers: readonly ContainerUsage[];
}

export interface UsageSample {
  readonly at: number;
  readonly pods: readonly PodUsage[];
}

export interface ResourceSampler {
  /** The latest sample; takes one when there is none that is fresh. */
  sample(): UsageSample;
  close(): void;
}

const EVERY_MS = 5000;
const FRESH_MS = 1000;

export function startResourceSampler(
  workers: () => readonly PodWorker[],
  onOverLimit: (worker: PodWorker, container: string) => void,
  clock: Clock,
): ResourceSampler {
  let latest: UsageSample | undefined;
  let before = new Map<string, { readonly at: number; readonly cpuSeconds: number }>();
  let timer: Timer | undefined;

  const take = (): UsageSample => {
    const table = readProcessTable();
    const at = clock.now();
    const next = new Map<string, { readonly at: number; readonly cpuSeconds: number }>();
    const shares = countHosted(workers());
    const trees = new Map<number, TreeUsage>();
    const treeOf = (pid: number) => {
      const known = trees.get(pid) ?? treeUsage(table, pid);
      trees.set(pid, known);
      return known;
    };
    const pods = workers().map((worker) => {
      const containers: ContainerUsage[] = [];
      for (const { name } of allContainers(worker.pod())) {
        const phase = worker.record(name)?.phase;
        if (phase?.kind !== "running") continue;
        const share = worker.life.isProxyName(name) ? (shares.get(phase.pid) ?? 1) : 1;
        const usage = treeOf(phase.pid);
        const cpuSeconds = usage.cpuSeconds / share;
        const key = `${worker.uid}/${name}/${phase.pid}`;
        const old = before.get(key) ?? { at: phase.startedAt, cpuSeconds: 0 };
        const elapsed = Math.max(1, at - old.at) / 1000;
        next.set(key, { at, cpuSeconds });
        containers.push({
          container: name,
          startedAt: phase.startedAt,
          cpuSeconds,
          cpuCores: Math.max(0, cpuSeconds - old.cpuSeconds) / elapsed,
          memoryBytes: usage.memoryBytes / share,
        });
      }
      return { worker, containers };
    });
    before = next;
    latest = { at, pods };
    return latest;
  };

  const tick = () => {
    timer = clock.after(
      EVERY_MS,
      () => {
        if (workers().length > 0) enforceLimits(take(), onOverLimit);
        tick();
      },
      { unref: true },
    );
  };
  tick();
  return {
    sample: () => (latest !== undefined && clock.now() - latest.at < FRESH_MS ? latest : take()),
    close: () => timer?.cancel(),
  };
}

function enforceLimits(sample: UsageSample, onOverLimit: (worker: PodWorker, container: string) => void): void {
  for (const { worker, containers } of sample.pods) {
    for (const { container, memoryBytes } of containers) {
      const spec = allContainers(worker.pod()).find((c) => c.name === container);
      const limit = parseQuantity(spec?.resources?.limits?.memory ?? "");
      const isHosted = worker.life.isProxyName(container);
      if (limit !== undefined && limit > 0 && memoryBytes > limit && !isHosted) onOverLimit(worker, container);
    }
  }
}

/** How many containers each worker process hosts. */
function countHosted(workers: readonly PodWorker[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const worker of workers) {
    for (const { name } of allContainers(worker.pod())) {
      const phase = worker.record(name)?.phase;
      if (phase?.kind === "running" && worker.life.isProxyName(name))
        counts.set(phase.pid, (counts.get(phase.pid) ?? 0) + 1);
    }
  }
  return counts;
}
