/** Starts a proxy of the differential run: Envoy or ours, as a process of its own, from the same kind of bootstrap file. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBackend } from "./backend.ts";
import { differentialBootstrap, type Lane, LISTENERS } from "./bootstrap.ts";
import type { LaneUnderTest } from "./drive.ts";

export interface ProxyUnderTest {
  readonly name: string;
  readonly lanes: readonly LaneUnderTest[];
  /** Ended by itself: what it wrote last. */
  readonly crash: () => string | undefined;
  close(): Promise<void>;
}

/** ARGYLE_ENVOY, or `envoy` of PATH. */
export function findEnvoy(): string | undefined {
  const named = process.env.ARGYLE_ENVOY;
  if (named !== undefined && named !== "") return named;
  const paths = (process.env.PATH ?? "").split(delimiter).map((dir) => join(dir, "envoy"));
  return paths.find((path) => existsSync(path));
}

export const envoyCommand = (program: string) => (config: string) => [
  program,
  ...["-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"],
  ...["--file-flush-interval-msec", "5"],
];

export const ownCommand = (root: string) => (config: string) => [
  process.execPath,
  join(root, "dist/proxy.cjs"),
  ...["--config", config, "--log-level", "error"],
];

export async function startUnderTest(
  name: string,
  command: (config: string) => readonly string[],
  laneCount: number,
): Promise<ProxyUnderTest> {
  const dir = mkdtempSync(join(tmpdir(), "ag-diff-"));
  const lanes: LaneUnderTest[] = [];
  // All at once: a port that was given back may be given out again.
  const [closedPort = 1, ...ports] = await freePorts(1 + laneCount * LISTENERS.length);
  for (let index = 0; index < laneCount; index++) {
    const [a, b, c] = await Promise.all([startBackend("a"), startBackend("b"), startBackend("c")]);
    const lane: Lane = {
      listeners: Object.fromEntries(
        LISTENERS.map((listener, i) => [listener, ports[index * LISTENERS.length + i] ?? 0]),
      ),
      backends: { a: a.port, b: b.port, c: c.port },
      accessLog: join(dir, `access-${index}.log`),
    };
    lanes.push({ lane, index, backends: { a, b, c } });
  }
  const config = join(dir, "bootstrap.json");
  writeFileSync(
    config,
    JSON.stringify(
      differentialBootstrap(
        lanes.map(({ lane }) => lane),
        closedPort,
      ),
    ),
  );
  const [program = "", ...args] = command(config);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8000);
    });
  let exit: string | undefined;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      exit = `${name} ended with ${code ?? signal}: ${output}`;
      resolve();
    });
    child.once("error", (error) => {
      exit = `${name} cannot start: ${error.message}`;
      resolve();
    });
  });
  const under: ProxyUnderTest = {
    name,
    lanes,
    crash: () => exit,
    async close() {
      child.kill("SIGTERM");
      const cut = setTimeout(() => child.kill("SIGKILL"), 3000);
      await gone;
      clearTimeout(cut);
      for (const { backends } of lanes) for (const backend of Object.values(backends)) backend.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  for (let i = 0; i < 400; i++) {
    if (exit !== undefined) break;
    if ((await Promise.all(ports.map(isListening))).every(Boolean)) return under;
    await sleep(50);
  }
  const reason = exit ?? `${name} does not listen: ${output}`;
  await under.close();
  throw new Error(reason);
}

/** Below the ports that the system gives out by itself, so that no connection of somebody else takes one before the proxy does. */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  let port = 20_000 + Math.floor(Math.random() * 9000);
  for (; ports.length < count; port++) if (await isFree(port)) ports.push(port);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
