/**
 * The kubelet's own memory of a pod, in $STATE/kubelet/pods/<uid>.<number>.json: what a new cluster process needs to adopt running containers.
 * The highest number that can be read counts; the one before goes when it is there. A rename over the old file would be as good, but ext4 then starts
 * to write to the disk inside the call (auto_da_alloc), which held up everything in this process for tens of milliseconds on a busy disk.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  /** Only when something changed. */
  save(state: PodState): void;
  /** The same in a moment, for what a new kubelet would find out by itself: a burst of changes is one write. */
  saveSoon(uid: string, current: () => PodState): void;
  remove(uid: string): void;
  /** Writes what is due. */
  close(): void;
}

const SOON_MS = 200;
/** Without a number: of an earlier version. */
const FILE_NAME = /^([^.]+)(?:\.(\d+))?\.json$/;

export function createPodStateStore(stateDir: string, clock: Clock, log: Logger): PodStateStore {
  const dir = join(stateDir, "kubelet", "pods");
  const written = new Map<string, string>();
  const files = new Map<string, { readonly number: number; readonly name: string }>();
  const due = new Map<string, () => PodState>();
  let timer: Timer | undefined;
  mkdirSync(dir, { recursive: true });

  const save = (state: PodState) => {
    due.delete(state.uid);
    const text = JSON.stringify(state);
    if (written.get(state.uid) === text) return;
    written.set(state.uid, text);
    const old = files.get(state.uid);
    const number = (old?.number ?? 0) + 1;
    const name = `${state.uid}.${number}.json`;
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    files.set(state.uid, { number, name });
    if (old !== undefined) rmSync(join(dir, old.name), { force: true });
  };
  const saveDue = () => {
    timer = undefined;
    for (const current of [...due.values()]) save(current());
  };
  return {
    load() {
      const states = new Map<string, PodState>();
      const found = readdirSync(dir).flatMap((name) => {
        const match = FILE_NAME.exec(name);
        return match === null ? [] : [{ name, uid: match[1] ?? "", number: Number(match[2] ?? 0) }];
      });
      for (const { name, uid, number } of found.sort((a, b) => b.number - a.number)) {
        if (states.has(uid)) {
          rmSync(join(dir, name), { force: true });
          continue;
        }
        try {
          states.set(uid, JSON.parse(readFileSync(join(dir, name), "utf8")) as PodState);
          files.set(uid, { number, name });
        } catch (error) {
          log.warn("ignoring an unreadable pod state", { file: name, error: String(error) });
          rmSync(join(dir, name), { force: true });
        }
      }
      return [...states.values()];
    },
    save,
    saveSoon(uid, current) {
      due.set(uid, current);
      timer ??= clock.after(SOON_MS, saveDue, { unref: true });
    },
    remove(uid) {
      due.delete(uid);
      written.delete(uid);
      const file = files.get(uid);
      files.delete(uid);
      if (file !== undefined) rmSync(join(dir, file.name), { force: true });
    },
    close() {
      timer?.cancel();
      saveDue();
    },
  };
}
