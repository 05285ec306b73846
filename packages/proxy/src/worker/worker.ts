/**
 * Hosts what a directory says: one sidecar per `<podIP>.json`, stopped with draining when the file goes (without, when it was renamed to `<podIP>.killed`),
 * reported in `<podIP>.state`. The directory is
 * the whole truth: it is watched, and read again every second in case an event was lost, so a restarted worker hosts again what it finds.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Clock, describeError, errnoOf, type Logger, rfc3339, type Timer } from "@argyle/core";
import type { Sidecar, SidecarSpec } from "./sidecar.ts";

export interface WorkerDeps {
  readonly directory: string;
  /** What the sidecars hold for the next worker, a directory a pod uid: it goes with its pod. */
  readonly heldDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pid: number;
  readonly start: (spec: SidecarSpec) => Promise<Sidecar>;
  readonly drainMs: number;
}

export interface Worker {
  readonly hosted: ReadonlyMap<string, Sidecar>;
  /** Looks at the directory now. */
  scan(): void;
  close(): Promise<void>;
}

const RESCAN_MS = 1000;

interface Entry {
  readonly text: string;
  /** Tells a file that was written again from the one that was hosted. */
  readonly stamp: string;
  sidecar: Sidecar | undefined;
  isStopping: boolean;
  /** It ended by itself: hosted again only when its file is written again. */
  isEnded: boolean;
}

interface Found {
  readonly text: string;
  readonly stamp: string;
}

export function startWorker(deps: WorkerDeps): Worker {
  const { directory, clock, log } = deps;
  const entries = new Map<string, Entry>();
  const hosted = new Map<string, Sidecar>();
  let timer: Timer | undefined;
  let isClosed = false;
  mkdirSync(directory, { recursive: true });

  const writeState = (podIp: string, state: "running" | "draining", since: number, isReady = false) => {
    const path = join(directory, `${podIp}.state`);
    const text = JSON.stringify({ pid: deps.pid, state, since: rfc3339(since), ...(isReady ? { isReady } : {}) });
    writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  };

  const host = async (podIp: string, entry: Entry) => {
    const sidecar = await deps.start(JSON.parse(entry.text) as SidecarSpec);
    if (entry.isStopping || isClosed) {
      sidecar.close();
      return;
    }
    entry.sidecar = sidecar;
    hosted.set(podIp, sidecar);
    const since = clock.now();
    writeState(podIp, "running", since);
    void sidecar.ready.then(() => {
      if (!entry.isStopping && !entry.isEnded && !isClosed) writeState(podIp, "running", since, true);
    });
    void sidecar.ended.then(() => {
      if (entry.isStopping || isClosed) return;
      entry.isEnded = true;
      hosted.delete(podIp);
      rmSync(join(directory, `${podIp}.state`), { force: true });
      log.info("a proxy was told to quit", { pod: podIp });
    });
  };

  const stop = async (podIp: string, entry: Entry) => {
    entry.isStopping = true;
    hosted.delete(podIp);
    const killed = join(directory, `${podIp}.killed`);
    const isKilled = existsSync(killed);
    rmSync(killed, { force: true });
    if (entry.sidecar !== undefined) {
      if (!isKilled) {
        writeState(podIp, "draining", clock.now());
        await entry.sidecar.drain(deps.drainMs);
      }
      entry.sidecar.close();
      rmSync(join(deps.heldDir, entry.sidecar.spec.podUid), { recursive: true, force: true });
    }
    entries.delete(podIp);
    rmSync(join(directory, `${podIp}.state`), { force: true });
    // The file may be back, with a new content, while the old one drained.
    scan();
  };

  const scan = () => {
    if (isClosed) return;
    const found = new Map<string, Found>();
    for (const name of listNames(directory)) {
      if (!name.endsWith(".json")) continue;
      const podIp = name.slice(0, -".json".length);
      const file = readSpec(join(directory, name), entries.get(podIp));
      if (file !== undefined) found.set(podIp, file);
    }
    for (const [podIp, entry] of entries) {
      const file = found.get(podIp);
      if (entry.isEnded) {
        if (file?.stamp !== entry.stamp) entries.delete(podIp);
        continue;
      }
      if (entry.isStopping || file?.text === entry.text) continue;
      stop(podIp, entry).catch((error: unknown) =>
        log.error("cannot stop", { pod: podIp, error: describeError(error) }),
      );
    }
    for (const [podIp, file] of found) {
      if (entries.has(podIp)) continue;
      const entry: Entry = { ...file, sidecar: undefined, isStopping: false, isEnded: false };
      entries.set(podIp, entry);
      host(podIp, entry).catch((error: unknown) => {
        log.error("cannot host", { pod: podIp, error: describeError(error) });
        // Tried again with the next scan.
        if (entries.get(podIp) === entry) entries.delete(podIp);
      });
    }
    // Of pods that went while no worker ran.
    for (const name of listNames(directory)) {
      const podIp = name.replace(/\.(state|killed)$/, "");
      if (podIp !== name && entries.get(podIp)?.isEnded !== false) rmSync(join(directory, name), { force: true });
    }
  };
  const rescan = () => {
    timer = clock.after(RESCAN_MS, () => {
      scan();
      if (!isClosed) rescan();
    });
  };
  const forgetPodsThatWent = () => {
    // Asked of the text, because a spec that is not JSON must not end the worker.
    const texts = [...entries.values()].map(({ text }) => text);
    for (const name of listNames(deps.heldDir))
      if (!texts.some((text) => text.includes(name)))
        rmSync(join(deps.heldDir, name), { recursive: true, force: true });
  };
  let isScanBooked = false;
  /** Our own state files are no news, and a pod that starts makes several events in one turn. */
  const watcher = watch(directory, (_event, name) => {
    if (isScanBooked || (name !== null && !/\.(json|killed)$/.test(name))) return;
    isScanBooked = true;
    setImmediate(() => {
      isScanBooked = false;
      scan();
    });
  });
  watcher.on("error", (error) => log.warn("cannot watch the worker directory", { error: describeError(error) }));
  scan();
  rescan();
  forgetPodsThatWent();

  return {
    hosted,
    scan,
    async close() {
      isClosed = true;
      watcher.close();
      timer?.cancel();
      const all = [...hosted.values()];
      await Promise.all(all.map((sidecar) => sidecar.drain(deps.drainMs)));
      for (const sidecar of all) sidecar.close();
    },
  };
}

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** A file that is the one of before is not read again. */
function readSpec(path: string, before: Found | undefined): Found | undefined {
  try {
    const { ino, mtimeMs } = statSync(path);
    const stamp = `${ino} ${mtimeMs}`;
    return stamp === before?.stamp ? before : { text: readFileSync(path, "utf8"), stamp };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
