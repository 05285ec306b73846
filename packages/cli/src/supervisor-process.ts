/** Starts the supervisor as a process of its own session, so that the terminal's signals and end do not reach it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MeshError, sleep, systemClock } from "@argyle/core";
import { connectSupervisor, type SupervisorClient } from "@argyle/supervisor";
import { baseEnvironment } from "./components.ts";
import { distDirectory, type Instance } from "./instance.ts";

const DEADLINE_MS = 5000;

/** Connected to the new supervisor. When it does not come up or the start is interrupted, nothing of it is left. */
export async function startSupervisor(
  instance: Instance,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<SupervisorClient> {
  const logPath = supervisorLog(instance);
  const log = openSync(logPath, "a");
  const args = ["--run-dir", instance.runDir, "--state-dir", instance.stateDir];
  const child = spawn(process.execPath, [join(distDirectory(), "supervisor.cjs"), ...args], {
    detached: true,
    stdio: ["ignore", log, log],
    env: baseEnvironment(env),
    cwd: instance.stateDir,
  });
  closeSync(log);
  child.unref();
  const end = performance.now() + DEADLINE_MS;
  try {
    for (;;) {
      try {
        return await connectSupervisor(join(instance.runDir, "supervisor.sock"));
      } catch (error) {
        if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
          const tail = readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-3).join("\n");
          throw new MeshError(`the supervisor did not start: ${tail}`, { code: "instance.supervisor", cause: error });
        }
      }
      await sleep(systemClock, 10, signal);
    }
  } catch (error) {
    await endChild(child);
    rmSync(instance.runDir, { recursive: true, force: true });
    throw error;
  }
}

/** Whether the supervisor ended because it was told to: its last word is then "ended", or `reset` has removed the log. */
export function endedInOrder(instance: Instance): boolean {
  try {
    return /\bended$/.test(readFileSync(supervisorLog(instance), "utf8").trimEnd());
  } catch {
    return true;
  }
}

function supervisorLog(instance: Instance): string {
  return join(instance.stateDir, "logs/supervisor.log");
}

function endChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.ref();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
