/** Runs a short command in a container's surroundings and collects its output: exec probes and lifecycle handlers. Long sessions are streaming/'s. */
import { spawn } from "node:child_process";
import { type Clock, describeError } from "@argyle/core";
import type { ContainerPlan } from "./container-plan.ts";

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

const MAX_OUTPUT_BYTES = 10 * 1024;

/** Exit code 126 or 127 with the reason when it cannot be started; 124 when it took too long and was killed. */
export function runCommand(
  plan: Pick<ContainerPlan, "env" | "cwd">,
  argv: readonly string[],
  timeoutMs: number,
  clock: Clock,
): Promise<CommandResult> {
  const [file = "", ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: plan.cwd,
      env: { ...plan.env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let isTimedOut = false;
    const collect = (chunk: Buffer) => {
      if (output.length < MAX_OUTPUT_BYTES) output += chunk.toString("utf8");
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = clock.after(timeoutMs, () => {
      isTimedOut = true;
      killGroup(child.pid);
    });
    child.on("error", (error) => {
      timer.cancel();
      resolve({ code: "code" in error && error.code === "ENOENT" ? 127 : 126, output: describeError(error) });
    });
    child.on("close", (code) => {
      timer.cancel();
      if (isTimedOut) resolve({ code: 124, output: `command timed out after ${timeoutMs / 1000}s` });
      else resolve({ code: code ?? 137, output: output.slice(0, MAX_OUTPUT_BYTES) });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}
