/**
 * Where an instance lives and whether it runs. `$STATE` survives a stop, `$RUN` holds sockets and is made anew (ARCHITECTURE.md, "Directories").
 * The running instance describes itself in `$STATE/instance.json`; whether it really runs is decided by its supervisor's socket alone.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { errnoOf, MeshError, sleep, systemClock } from "@argyle/core";
import { connectSupervisor, type SupervisorClient } from "@argyle/supervisor";

export interface Instance {
  readonly name: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly kubeconfig: string;
}

/** What `up` wrote about the instance that it started. */
export interface InstanceRecord {
  readonly version: string;
  /** The checkout whose programs run. */
  readonly checkout: string;
  readonly runDir: string;
  readonly apiPort: number;
  readonly gatewayPort: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

export interface Environment {
  readonly HOME?: string | undefined;
  readonly XDG_STATE_HOME?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly ARGYLE_STATE_DIR?: string | undefined;
}

/** Longest suffix below a run directory: `/10.244.255.255/.s.PGSQL.65535`; a unix socket path has at most 103 bytes on macOS. */
const LONGEST_SUFFIX = 32;
const MAX_SOCKET_PATH = 103;
const START_LOCK = "start.lock";
const STOP_DEADLINE_MS = 20_000;

export function locateInstance(name: string, env: Environment): Instance {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new MeshError(
      `"${name}" can't be the name of an instance: lower-case letters, digits and - only, at most 32`,
      { code: "usage.instance-name" },
    );
  }
  const stateRoot =
    env.ARGYLE_STATE_DIR ?? join(env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), ".local/state"), "argyle");
  const stateDir = join(stateRoot, name);
  const runDir = readRecord(stateDir)?.runDir ?? chooseRunDir(stateDir, env, 0);
  return { name, stateDir, runDir, kubeconfig: join(stateDir, "kubeconfig") };
}

/**
 * The instance with a run directory of its own for this start. Never the one of an earlier start: the guard of a supervisor that was
 * killed may still be about to remove that.
 */
export function withFreshRunDir(instance: Instance, env: Environment, startedAtMs: number): Instance {
  return { ...instance, runDir: chooseRunDir(instance.stateDir, env, startedAtMs) };
}

function chooseRunDir(stateDir: string, env: Environment, startedAtMs: number): string {
  const hash = createHash("sha256").update(`${stateDir} ${startedAtMs}`).digest("hex").slice(0, 8);
  const candidates = [
    ...(env.XDG_RUNTIME_DIR === undefined ? [] : [join(env.XDG_RUNTIME_DIR, `argyle-${hash}`)]),
    join(tmpdir(), `argyle-${userInfo().uid}`, hash),
    join("/tmp", `argyle-${userInfo().uid}`, hash),
  ];
  const runDir = candidates.find((dir) => dir.length + LONGEST_SUFFIX <= MAX_SOCKET_PATH);
  if (runDir === undefined) {
    throw new MeshError("no directory is short enough for unix sockets", { code: "instance.run-dir" });
  }
  return runDir;
}

/** The client of the running supervisor, or undefined when the instance does not run. */
export async function findRunning(instance: Instance): Promise<SupervisorClient | undefined> {
  const socket = join(instance.runDir, "supervisor.sock");
  if (!existsSync(socket)) return undefined;
  try {
    return await connectSupervisor(socket);
  } catch (error) {
    if (error instanceof MeshError && error.code === "supervisor.unreachable") return undefined;
    throw error;
  }
}

export async function requireRunning(instance: Instance): Promise<SupervisorClient> {
  const client = await findRunning(instance);
  if (client !== undefined) return client;
  throw new MeshError(`instance ${instance.name} is not running`, {
    code: "instance.not-running",
    advice: `start it with: ./argyle up${instance.name === "argyle" ? "" : ` --instance ${instance.name}`}`,
  });
}

/** Throws when the instance was never started: a kubectl without a kubeconfig would silently ask another cluster. */
export function requireKubeconfig(instance: Instance): void {
  if (existsSync(instance.kubeconfig)) return;
  throw new MeshError(`instance ${instance.name} has no kubeconfig: it was never started`, {
    code: "instance.not-running",
    advice: "start it with: ./argyle up",
  });
}

export function readRecord(stateDir: string): InstanceRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(stateDir, "instance.json"), "utf8")) as InstanceRecord;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function writeRecord(instance: Instance, record: InstanceRecord): void {
  writeFileSync(join(instance.stateDir, "instance.json"), `${JSON.stringify(record, undefined, 1)}\n`);
}

/** Ends every process of the instance and resolves when nothing is left: the run directory goes last. */
export async function stopRunning(instance: Instance, supervisor: SupervisorClient): Promise<void> {
  await supervisor.shutdown();
  const end = systemClock.monotonic() + STOP_DEADLINE_MS;
  while (existsSync(instance.runDir)) {
    if (systemClock.monotonic() > end) {
      throw new MeshError(`instance ${instance.name} did not stop within ${STOP_DEADLINE_MS / 1000} s`, {
        code: "instance.stop",
        advice: `look at ${instance.stateDir}/logs/supervisor.log`,
      });
    }
    await sleep(systemClock, 10);
  }
}

/**
 * Makes both directories, private to the user, and removes the run directory of an earlier start that ended with the machine.
 * Throws when the run directory's parent belongs to somebody else.
 */
export function prepareDirectories(instance: Instance, earlierRunDir: string | undefined): void {
  mkdirSync(instance.stateDir, { recursive: true, mode: 0o700 });
  mkdirSync(join(instance.stateDir, "logs"), { recursive: true });
  const parent = dirname(instance.runDir);
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const owner = statSync(parent).uid;
  if (owner !== userInfo().uid && owner !== 0) {
    throw new MeshError(`${parent} belongs to another user`, {
      code: "instance.run-dir-owner",
      advice: "set XDG_RUNTIME_DIR to a directory of your own",
    });
  }
  if (earlierRunDir !== undefined) rmSync(earlierRunDir, { recursive: true, force: true });
  mkdirSync(instance.runDir, { recursive: true, mode: 0o700 });
}

/** Removes everything that an earlier run left, but not the start lock that the caller may hold. */
export function resetState(instance: Instance): void {
  if (existsSync(instance.stateDir)) {
    for (const entry of readdirSync(instance.stateDir)) {
      if (entry !== START_LOCK) rmSync(join(instance.stateDir, entry), { recursive: true, force: true });
    }
  }
  rmSync(instance.runDir, { recursive: true, force: true });
}

/** Takes the start lock; throws when another start holds it. A lock whose process is gone is taken over. */
export function takeStartLock(instance: Instance): () => void {
  const path = join(instance.stateDir, START_LOCK);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      const holder = Number(readFileSync(path, "utf8"));
      if (attempt === 0 && !isAlive(holder)) {
        rmSync(path, { force: true });
        continue;
      }
      throw new MeshError(`another start of instance ${instance.name} is under way (process ${holder})`, {
        code: "instance.locked",
        advice: "wait for it, or end it and try again",
      });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

/** The directory of the bundles (`dist`) and the checkout around it. */
export function distDirectory(): string {
  return dirname(fileURLToPath(import.meta.url));
}

export function checkoutDirectory(): string {
  return dirname(distDirectory());
}
