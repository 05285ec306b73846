/**
 * One supervised process. States: running → exited, or with a restart policy running → waiting → running …
 * The first restart is immediate, the next ones wait baseMs, 2·baseMs … up to maxMs; a run of RESET_AFTER_MS counts as a success.
 * Each process leads its own session and group; when the leader is gone the rest of its group is killed, as in a container whose PID 1 has exited.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { type Clock, describeError, MeshError, type Timer } from "@argyle/core";
import type { Guard } from "./guard.ts";
import { RUN_DIR_VARIABLE } from "./guard.ts";
import { type ChildOutput, openOutput } from "./output.ts";
import { readStartTime } from "./process-identity.ts";
import type { ExitedEvent, ProcessEntry, ProcessExit, ProcessStart, StartParams } from "./protocol.ts";

export interface Child {
  /** Starts it for the first time; throws supervisor.process.spawn-failed. */
  start(): Promise<ProcessStart>;
  signal(signal: NodeJS.Signals): void;
  /** No restart after the next exit, and none that is waiting. */
  stopRestarting(): void;
  entry(): ProcessEntry;
  /** Resolves when it has exited and will not be started again. */
  ended(): Promise<void>;
}

export interface ChildDeps {
  readonly runDir: string;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly onExited: (event: ExitedEvent) => void;
  readonly onRestart: (name: string, delayMs: number, error?: unknown) => void;
}

const RESET_AFTER_MS = 10_000;
/** How long an exit is held back for output that is still in the pipe; a grandchild that keeps it open does not hold it longer. */
const DRAIN_MS = 100;

export function createChild(params: StartParams, deps: ChildDeps): Child {
  let state: ProcessEntry["state"] = "exited";
  let current: ProcessStart = { pid: 0, startTime: "" };
  let startedAt = 0;
  let restarts = 0;
  let failuresInRow = 0;
  let exit: ProcessExit | undefined;
  let restartTimer: Timer | undefined;
  let mayRestart = params.restart !== undefined;
  let markEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    markEnded = resolve;
  });

  const launch = async (): Promise<ProcessStart> => {
    const output = await openOutput(params, deps.runDir, deps.clock);
    const started = await spawnChild(params, deps.runDir, output);
    const pid = started.pid ?? 0;
    deps.guard.add(pid);
    current = { pid, startTime: readStartTime(pid) ?? "" };
    startedAt = deps.clock.now();
    state = "running";
    started.on("exit", (code, signal) => void onExit(pid, code, signal, output));
    return current;
  };

  const onExit = async (pid: number, code: number | null, signal: string | null, output: ChildOutput) => {
    const at = deps.clock.now();
    signalGroup(pid, "SIGKILL");
    await Promise.race([output.drained(), new Promise<void>((resolve) => deps.clock.after(DRAIN_MS, resolve))]);
    deps.guard.remove(pid);
    exit = { pid, code, signal, at };
    state = mayRestart ? "waiting" : "exited";
    deps.onExited({ name: params.name, ...exit });
    if (mayRestart) scheduleRestart(at - startedAt);
    else markEnded();
  };

  const scheduleRestart = (ranMs: number) => {
    if (ranMs >= RESET_AFTER_MS) failuresInRow = 0;
    const policy = params.restart ?? { baseMs: 0, maxMs: 0 };
    const delayMs = failuresInRow === 0 ? 0 : Math.min(policy.maxMs, policy.baseMs * 2 ** (failuresInRow - 1));
    failuresInRow += 1;
    restarts += 1;
    deps.onRestart(params.name, delayMs);
    restartTimer = deps.clock.after(delayMs, () => {
      restartTimer = undefined;
      launch().catch((error: unknown) => {
        deps.onRestart(params.name, delayMs, error);
        if (mayRestart) scheduleRestart(0);
        else markEnded();
      });
    });
  };

  return {
    start: launch,
    signal(signal) {
      if (state === "running") signalGroup(current.pid, signal);
    },
    stopRestarting() {
      mayRestart = false;
      if (state !== "waiting") return;
      restartTimer?.cancel();
      state = "exited";
      markEnded();
    },
    entry: () => ({
      name: params.name,
      state,
      ...current,
      startedAt,
      restarts,
      ...(exit === undefined ? {} : { exit }),
    }),
    ended: () => ended,
  };
}

function spawnChild(params: StartParams, runDir: string, output: ChildOutput): Promise<ChildProcess> {
  const [file, ...args] = params.argv;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(
        new MeshError(`cannot start ${file} in ${params.cwd}: ${describeError(error)}`, {
          code: "supervisor.process.spawn-failed",
          cause: error,
        }),
      );
    try {
      const child = spawn(file ?? "", args, {
        cwd: params.cwd,
        env: { ...params.env, [RUN_DIR_VARIABLE]: runDir },
        detached: true,
        stdio: ["ignore", output.stdout, output.stderr],
        ...(params.uid === undefined ? {} : { uid: params.uid }),
        ...(params.gid === undefined ? {} : { gid: params.gid }),
      });
      child.once("error", fail);
      child.once("spawn", () => resolve(child));
    } catch (error) {
      fail(error);
    } finally {
      output.spawned();
    }
  });
}

/** Signals a whole group; one that has ended is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: nobody is left. EPERM (macOS, all zombies): the same.
  }
}
