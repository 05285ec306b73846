/**
 * Containers as processes, through the supervisor. A process is called `pod/<uid>/<container>/<restart>`, so the supervisor's table alone says which
 * container it is; adoption compares pid and start time. Stale sockets of a killed predecessor are removed before a start.
 */
import { readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { ContainerExit } from "./container-record.ts";
import type { ProcessExited, ProcessSupervisor } from "./process-supervisor.ts";

export interface ProcessRef {
  readonly uid: string;
  readonly container: string;
  readonly restart: number;
}

export interface ProcessSpec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly log: string;
  /** The pod's run directory. */
  readonly podDir: string;
}

export type AdoptedProcess =
  | { readonly kind: "running"; readonly pid: number; readonly startTime: string }
  | { readonly kind: "exited"; readonly exit: ContainerExit };

export interface ProcessRunner {
  start(ref: ProcessRef, spec: ProcessSpec): Promise<{ readonly pid: number; readonly startTime: string }>;
  signal(ref: ProcessRef, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  forget(ref: ProcessRef): Promise<void>;
  /** Everything of ours that the supervisor knows, by processName. */
  list(): Promise<ReadonlyMap<string, AdoptedProcess>>;
  onExited(listener: (ref: ProcessRef, pid: number, exit: ContainerExit) => void): () => void;
}

export function processName(ref: ProcessRef): string {
  return `pod/${ref.uid}/${ref.container}/${ref.restart}`;
}

export function parseProcessName(name: string): ProcessRef | undefined {
  const match = /^pod\/([^/]+)\/([^/]+)\/(\d+)$/.exec(name);
  return match === null ? undefined : { uid: match[1] ?? "", container: match[2] ?? "", restart: Number(match[3]) };
}

export function createProcessRunner(supervisor: ProcessSupervisor): ProcessRunner {
  return {
    async start(ref, spec) {
      // Before its first start there was nobody who could have left any.
      if (ref.restart > 0) await removeStaleSockets(spec.podDir);
      return supervisor.start({
        name: processName(ref),
        argv: spec.argv,
        env: spec.env,
        cwd: spec.cwd,
        log: { path: spec.log },
      });
    },
    async signal(ref, signal) {
      await ignoreUnknown(supervisor.signal({ name: processName(ref), signal }));
    },
    forget: (ref) => ignoreUnknown(supervisor.forget(processName(ref))),
    async list() {
      const found = new Map<string, AdoptedProcess>();
      for (const entry of await supervisor.list()) {
        if (parseProcessName(entry.name) === undefined) continue;
        const { pid, startTime, exit } = entry;
        if (entry.state === "running") found.set(entry.name, { kind: "running", pid, startTime });
        else if (exit !== undefined) found.set(entry.name, { kind: "exited", exit });
      }
      return found;
    },
    onExited: (listener) =>
      supervisor.onExited((event: ProcessExited) => {
        const ref = parseProcessName(event.name);
        if (ref !== undefined) listener(ref, event.pid, { code: event.code, signal: event.signal, at: event.at });
      }),
  };
}

/** A process that has ended meanwhile has been forgotten: nothing is left to signal. */
async function ignoreUnknown(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "supervisor.process.unknown")) throw error;
  }
}

/**
 * A killed program leaves its `<port>.sock` behind, and the next one would fail with EADDRINUSE. Only sockets that refuse connections are removed:
 * another container of the pod may be listening.
 */
async function removeStaleSockets(podDir: string): Promise<void> {
  for (const name of readdirSync(podDir)) {
    if (!/^\d+\.sock$/.test(name) || (await accepts(join(podDir, name)))) continue;
    rmSync(join(podDir, name), { force: true });
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // ENOENT: a link (postgres) whose socket is gone.
    socket.on("error", (error) => resolve(!("code" in error && /^(ECONNREFUSED|ENOENT)$/.test(String(error.code)))));
  });
}
