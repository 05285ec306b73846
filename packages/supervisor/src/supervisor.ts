/**
 * The table of processes and what may be done with it; the socket is server.ts, the order of start and end is main.ts's.
 * Invariants: a name is one process at a time; an exit is told to every listener and kept until `forget`; once shutdown has begun nothing is started.
 */
import { type Clock, type Logger, MeshError } from "@argyle/core";
import { type Child, createChild } from "./child.ts";
import { startGuard } from "./guard.ts";
import type { ExitedEvent, ProcessEntry, ProcessStart, SignalParams, StartParams } from "./protocol.ts";

export interface Supervisor {
  start(params: StartParams): Promise<ProcessStart>;
  signal(params: SignalParams): void;
  list(): readonly ProcessEntry[];
  forget(name: string): void;
  onExited(listener: (event: ExitedEvent) => void): () => void;
  /**
   * Ends everything: what has a restart policy (the components) one by one in reverse order of start, then all others at once, each with SIGTERM
   * and a grace, then SIGKILL; last the guard, which kills what is left and removes the run directory.
   */
  shutdown(): Promise<void>;
  guardPid(): number | undefined;
}

export interface SupervisorDeps {
  readonly runDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly graceMs?: number;
}

const GRACE_MS = 3000;

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const { clock, log, runDir } = deps;
  const graceMs = deps.graceMs ?? GRACE_MS;
  const children = new Map<string, { readonly child: Child; readonly isComponent: boolean }>();
  const listeners = new Set<(event: ExitedEvent) => void>();
  const guard = startGuard(runDir);
  let ending: Promise<void> | undefined;

  const find = (name: string): Child => {
    const found = children.get(name);
    if (found === undefined) {
      throw new MeshError(`no process is called ${name}`, { code: "supervisor.process.unknown" });
    }
    return found.child;
  };

  const stop = async (child: Child) => {
    child.stopRestarting();
    if (child.entry().state !== "running") return;
    child.signal("SIGTERM");
    const timer = clock.after(graceMs, () => child.signal("SIGKILL"));
    await child.ended();
    timer.cancel();
  };

  const end = async () => {
    const all = [...children.values()].reverse();
    for (const { child, isComponent } of all) if (isComponent) await stop(child);
    await Promise.all(all.map(({ child }) => stop(child)));
    await guard.finish();
  };

  return {
    async start(params) {
      if (ending !== undefined) {
        throw new MeshError("the supervisor is shutting down", { code: "supervisor.shutting-down" });
      }
      if (children.has(params.name)) {
        throw new MeshError(`a process called ${params.name} exists`, { code: "supervisor.process.exists" });
      }
      const child = createChild(params, {
        runDir,
        clock,
        guard,
        onExited: (event) => {
          log.info("exited", {
            name: event.name,
            pid: event.pid,
            code: event.code ?? undefined,
            signal: event.signal ?? undefined,
          });
          for (const listener of listeners) listener(event);
        },
        onRestart: (name, delayMs, error) =>
          error === undefined
            ? log.info("restarting", { name, delayMs })
            : log.error("cannot restart", { name, error: String(error) }),
      });
      children.set(params.name, { child, isComponent: params.restart !== undefined });
      try {
        const started = await child.start();
        // A shutdown that began meanwhile has not seen this child running.
        if (ending !== undefined) child.signal("SIGKILL");
        log.info("started", { name: params.name, pid: started.pid });
        return started;
      } catch (error) {
        children.delete(params.name);
        throw error;
      }
    },
    signal({ name, signal, stop: isLast }) {
      const child = find(name);
      if (isLast === true) child.stopRestarting();
      child.signal(toSignal(signal));
    },
    list: () => [...children.values()].map(({ child }) => child.entry()),
    forget(name) {
      if (find(name).entry().state !== "exited") {
        throw new MeshError(`${name} has not ended`, { code: "supervisor.process.running" });
      }
      children.delete(name);
    },
    onExited(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    shutdown() {
      ending ??= end();
      return ending;
    },
    guardPid: () => guard.pid(),
  };
}

const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = {
  SIGHUP: "SIGHUP",
  SIGINT: "SIGINT",
  SIGQUIT: "SIGQUIT",
  SIGKILL: "SIGKILL",
  SIGUSR1: "SIGUSR1",
  SIGUSR2: "SIGUSR2",
  SIGTERM: "SIGTERM",
  SIGSTOP: "SIGSTOP",
  SIGCONT: "SIGCONT",
};

function toSignal(name: string): NodeJS.Signals {
  const signal = SIGNALS[name];
  if (signal === undefined) throw new MeshError(`no such signal: ${name}`, { code: "supervisor.signal.unknown" });
  return signal;
}
