/** The kubelet's own memory of a pod, in $STATE/kubelet/pods/<uid>.json: what a new cluster process needs to adopt running containers. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Logger, Timer } from "@argyle/core";
import type { ContainerRecord } from "./container-record.ts";

export interface PodState {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly podIP: string;
  /** Epoch milliseconds. */
  readonly startTime: number;
  readonly records: readonly ContainerRecord[];
}

export interface PodStateStore {
  load(): readonly PodState[];
  /** By rename, and only when something changed. */
  save(state: PodState): void;
  /** The same in a moment, for what a new kubelet would find out by itself: a burst of changes is one write. */
  saveSoon(uid: string, current: () => PodState): void;
  remove(uid: string): void;
  /** Writes what is due. */
  close(): void;
}

const SOON_MS = 200;

export function createPodStateStore(stateDir: string, clock: Clock, log: Logger): PodStateStore {
  const dir = join(stateDir, "kubelet", "pods");
  const written = new Map<string, string>();
  const due = new Map<string, () => PodState>();
  let timer: Timer | undefined;
  mkdirSync(dir, { recursive: true });

  const save = (state: PodState) => {
    due.delete(state.uid);
    const text = JSON.stringify(state);
    if (written.get(state.uid) === text) return;
    written.set(state.uid, text);
    const path = join(dir, `${state.uid}.json`);
    writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  };
  const saveDue = () => {
    timer = undefined;
    for (const current of [...due.values()]) save(current());
  };
  return {
    load() {
      const states: PodState[] = [];
      for (const name of readdirSync(dir)) {
        if (!name.endsWith(".json")) continue;
        try {
          states.push(JSON.parse(readFileSync(join(dir, name), "utf8")) as PodState);
        } catch (error) {
          log.warn("ignoring an unreadable pod state", { file: name, error: String(error) });
        }
      }
      return states;
    },
    save,
    saveSoon(uid, current) {
      due.set(uid, current);
      timer ??= clock.after(SOON_MS, saveDue, { unref: true });
    },
    remove(uid) {
      due.delete(uid);
      written.delete(uid);
      rmSync(join(dir, `${uid}.json`), { force: true });
    },
    close() {
      timer?.cancel();
      saveDue();
    },
  };
}
