/** Processes pinned to one core, wrk against them, and what both cost. Linux only. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { HOST, SMALL_PATH } from "./dataplane-config.ts";

export interface Pinned {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Runs a program on one core; `taskset` execs it, so the pid is the program's. */
export function startPinned(core: number, argv: readonly string[], cwd: string): Pinned {
  const child: ChildProcess = spawn("taskset", ["-c", String(core), ...argv], {
    cwd,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let isWanted = false;
  child.once("exit", (code) => {
    if (!isWanted) process.stderr.write(`${argv.slice(0, 2).join(" ")} ended with ${code}: ${stderr}\n`);
  });
  return {
    pid: child.pid ?? 0,
    async stop() {
      isWanted = true;
      child.kill("SIGTERM");
      const cut = setTimeout(() => child.kill("SIGKILL"), 2000);
      await gone;
      clearTimeout(cut);
    },
  };
}

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface Sample {
  readonly rps: number;
  /** User and system time of the measured processes for each request. */
  readonly cpuUs: number;
  readonly p99Ms: number;
}

/** One wrk run on `core`; fails when a response was wrong, because a fast wrong answer is no answer. */
export async function measure(load: Load, core: number, pids: readonly number[]): Promise<Sample> {
  const before = pids.reduce((sum, pid) => sum + cpuTicks(pid), 0);
  const headers = [
    `Host: ${HOST}`,
    "User-Agent: bench/1.0",
    "Accept: application/json",
    "Accept-Encoding: gzip, deflate",
    "Cookie: session=0123456789abcdef0123456789abcdef",
  ].flatMap((header) => ["-H", header]);
  const url = `http://127.0.0.1:${load.port}${load.path}`;
  const argv = [
    "-c",
    String(core),
    "wrk",
    "-t1",
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    "--latency",
    ...headers,
    url,
  ];
  const text = await run("taskset", argv);
  const ticks = pids.reduce((sum, pid) => sum + cpuTicks(pid), 0) - before;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  const rps = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const [, p99 = "0", unit = "ms"] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  if (!(requests > 0) || /Non-2xx/.test(text)) throw new Error(`port ${load.port}${load.path}: ${text}`);
  const p99Ms = Number(p99) * (unit === "us" ? 0.001 : unit === "s" ? 1000 : 1);
  return { rps, cpuUs: (ticks * 10_000) / requests, p99Ms };
}

export interface Http2Load {
  readonly port: number;
  readonly connections: number;
  /** A connection. */
  readonly streams: number;
  /** h2load's own: `-n5000` requests or `-D2` seconds. */
  readonly length: string;
}

/** One h2load run in cleartext HTTP/2 on `core`; fails when a response was wrong. */
export async function measureHttp2(
  load: Http2Load,
  core: number,
  pids: readonly number[],
): Promise<Omit<Sample, "p99Ms">> {
  const before = pids.reduce((sum, pid) => sum + cpuTicks(pid), 0);
  const headers = [
    `:authority: ${HOST}`,
    "user-agent: bench/1.0",
    "accept: application/json",
    "accept-encoding: gzip, deflate",
    "cookie: session=0123456789abcdef0123456789abcdef",
  ].flatMap((header) => ["-H", header]);
  const program = ["h2load", "-t1", `-c${load.connections}`, `-m${load.streams}`, load.length];
  const url = `http://127.0.0.1:${load.port}${SMALL_PATH}`;
  const text = await run("taskset", ["-c", String(core), ...program, ...headers, url]);
  const ticks = pids.reduce((sum, pid) => sum + cpuTicks(pid), 0) - before;
  const [, done = "0", failed = "0"] = /(\d+) succeeded, (\d+) failed/.exec(text) ?? [];
  const requests = Number(done);
  if (requests === 0 || failed !== "0" || !/ 0 3xx, 0 4xx, 0 5xx/.test(text))
    throw new Error(`port ${load.port}: ${text}`);
  const [, rps = "0"] = /finished in [^,]*, ([\d.]+) req\/s/.exec(text) ?? [];
  return { rps: Number(rps), cpuUs: (ticks * 10_000) / requests };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

export async function untilListening(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (isOpen) return;
    await sleep(100);
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** The path of an installed program. */
export function find(program: string): string | undefined {
  try {
    return execFileSync("/bin/sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** utime + stime in clock ticks of 10 ms. */
export function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export function run(program: string, argv: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, argv, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}
