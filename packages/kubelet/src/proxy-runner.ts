/**
 * Containers that a proxy worker hosts (ARCHITECTURE.md, "Proxy workers"): writing `<podIP>.json` starts one, deleting it drains and stops it, renaming it
 * to `<podIP>.killed` stops it at once, and `<podIP>.state` says what the worker made of it. Another pid in the state is a restart. The directories are the whole truth; they are watched, and
 * read again every second in case a watch event was lost.
 */
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "@argyle/core";

export interface ProxySpec {
  readonly podIP: string;
  readonly podUid: string;
  readonly containerName: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly rootfs: string;
  /** CRI-format log that the worker appends to. */
  readonly log: string;
}

export interface ProxyState {
  readonly pid: number;
  readonly state: "running" | "draining";
  /** RFC 3339 or epoch milliseconds: only compared. */
  readonly since?: string | number;
  /** Its first configuration is in force: what its readiness page says, told at once. */
  readonly isReady?: boolean;
}

export interface ProxyRunner {
  start(spec: ProxySpec): void;
  /** Drains and stops it; the state's end is told when the worker has removed its file. */
  stop(podIP: string): void;
  /** Stops it without draining: its pod is gone already. */
  kill(podIP: string): void;
  /** Forgets a state that no worker will remove any more. */
  discard(podIP: string): void;
  state(podIP: string): ProxyState | undefined;
  close(): void;
}

export type ProxyWorkerName = "sidecars" | "gateways";

const WORKERS: readonly ProxyWorkerName[] = ["sidecars", "gateways"];
const RESCAN_MS = 1000;
const SUFFIX = ".state";

/** `proxy router` in the arguments is a gateway, as in Istio. */
export function workerOf(args: readonly string[]): ProxyWorkerName {
  return args.includes("router") ? "gateways" : "sidecars";
}

export function createProxyRunner(
  runDir: string,
  clock: Clock,
  onState: (podIP: string, state: ProxyState | undefined) => void,
): ProxyRunner {
  const dirOf = (worker: ProxyWorkerName) => join(runDir, "workers", worker);
  const states = new Map<string, ProxyState>();
  const watchers: FSWatcher[] = [];
  let timer: Timer | undefined;

  const tell = (podIP: string, state: ProxyState | undefined) => {
    const before = states.get(podIP);
    if (JSON.stringify(before) === JSON.stringify(state)) return;
    if (state === undefined) states.delete(podIP);
    else states.set(podIP, state);
    onState(podIP, state);
  };
  const scan = () => {
    const found = new Map<string, ProxyState>();
    for (const worker of WORKERS) {
      const names = listDir(dirOf(worker));
      if (names === undefined) return; // the run directory is gone: everything is ending
      for (const name of names) {
        if (!name.endsWith(SUFFIX)) continue;
        const state = readState(join(dirOf(worker), name));
        if (state !== undefined) found.set(name.slice(0, -SUFFIX.length), state);
      }
    }
    for (const podIP of [...states.keys()]) if (!found.has(podIP)) tell(podIP, undefined);
    for (const [podIP, state] of found) tell(podIP, state);
  };
  /** What has happened to one file of the directory; most of them are our own orders. */
  const onFile = (worker: ProxyWorkerName, name: string | null) => {
    if (name === null) scan();
    else if (name.endsWith(SUFFIX) && existsSync(dirOf(worker)))
      tell(name.slice(0, -SUFFIX.length), readState(join(dirOf(worker), name)));
  };
  const rescan = () => {
    timer = clock.after(
      RESCAN_MS,
      () => {
        scan();
        rescan();
      },
      { unref: true },
    );
  };

  for (const worker of WORKERS) {
    mkdirSync(dirOf(worker), { recursive: true });
    const watcher = watch(dirOf(worker), { persistent: false }, (_event, name) => onFile(worker, name));
    watcher.on("error", () => undefined); // the run directory is gone: shutting down
    watchers.push(watcher);
  }
  scan();
  rescan();
  return {
    start(spec) {
      const path = join(dirOf(workerOf(spec.args)), `${spec.podIP}.json`);
      writeFileSync(`${path}.tmp`, JSON.stringify(spec), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    },
    stop(podIP) {
      for (const worker of WORKERS) rmSync(join(dirOf(worker), `${podIP}.json`), { force: true });
    },
    kill(podIP) {
      for (const worker of WORKERS) {
        const path = join(dirOf(worker), podIP);
        if (existsSync(`${path}.json`)) renameSync(`${path}.json`, `${path}.killed`);
      }
    },
    discard(podIP) {
      for (const worker of WORKERS) rmSync(join(dirOf(worker), `${podIP}.state`), { force: true });
      scan();
    },
    state: (podIP) => states.get(podIP),
    close() {
      timer?.cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}

function listDir(dir: string): readonly string[] | undefined {
  try {
    return readdirSync(dir);
  } catch {
    return undefined;
  }
}

/** Undefined for a file that is being written or removed: the next event or scan sees it. */
function readState(path: string): ProxyState | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProxyState;
  } catch {
    return undefined;
  }
}
