/**
 * Where a child's stdout and stderr go: files that it appends to itself, or named pipes that the supervisor reads into a CRI log.
 * A FIFO rather than Node's "pipe" (a socket pair), because programs may open /dev/stdout again, which fails on a socket.
 */
import { execFile } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "@argyle/core";
import { openCriLog, type StreamName } from "./cri-log.ts";
import type { StartParams } from "./protocol.ts";

export interface ChildOutput {
  /** What spawn gets as stdio[1] and stdio[2]. */
  readonly stdout: number | "ignore";
  readonly stderr: number | "ignore";
  /** Closes this side's copies of the child's ends, once it is spawned (or failed to). */
  spawned(): void;
  /** Resolves when all writers have closed their ends; at once for files. */
  drained(): Promise<void>;
}

const MAX_COMPONENT_LOG_BYTES = 10 * 1024 * 1024;
const run = promisify(execFile);
let fifoNumber = 0;

export async function openOutput(params: StartParams, runDir: string, clock: Clock): Promise<ChildOutput> {
  return params.log === undefined ? openFiles(params) : openPipes(params.log, runDir, clock);
}

function openFiles(params: StartParams): ChildOutput {
  const stdout = params.stdout === undefined ? undefined : openAppend(params.stdout);
  const isShared = params.stderr === params.stdout;
  const stderr = isShared ? stdout : params.stderr === undefined ? undefined : openAppend(params.stderr);
  return {
    stdout: stdout ?? "ignore",
    stderr: stderr ?? "ignore",
    spawned() {
      if (stdout !== undefined) closeSync(stdout);
      if (stderr !== undefined && !isShared) closeSync(stderr);
    },
    drained: () => Promise.resolve(),
  };
}

/** A component's log is moved aside when it has grown too large before a start; while it runs it is the component's own. */
function openAppend(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_COMPONENT_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o600);
}

async function openPipes(log: NonNullable<StartParams["log"]>, runDir: string, clock: Clock): Promise<ChildOutput> {
  const writer = openCriLog(log, clock);
  const number = ++fifoNumber;
  const paths = { stdout: `${runDir}/${number}.out`, stderr: `${runDir}/${number}.err` };
  await run("mkfifo", ["-m", "600", paths.stdout, paths.stderr]);
  const open = (stream: StreamName) => {
    const readEnd = openSync(paths[stream], constants.O_RDONLY | constants.O_NONBLOCK);
    const writeEnd = openSync(paths[stream], constants.O_WRONLY);
    rmSync(paths[stream]);
    const socket = new Socket({ fd: readEnd, readable: true, writable: false });
    socket.on("data", (chunk) => writer.write(stream, chunk));
    const ended = new Promise<void>((resolve) => {
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        writer.end(stream);
        resolve();
      });
    });
    return { writeEnd, ended };
  };
  const stdout = open("stdout");
  const stderr = open("stderr");
  const all = Promise.all([stdout.ended, stderr.ended]).then(() => writer.close());
  return {
    stdout: stdout.writeEnd,
    stderr: stderr.writeEnd,
    spawned() {
      closeSync(stdout.writeEnd);
      closeSync(stderr.writeEnd);
    },
    drained: () => all,
  };
}
