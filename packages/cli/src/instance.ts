/**
 * Where an instance lives and whether it runs. `$STATE` survives a stop, `$RUN` holds sockets and is made anew (ARCHITECTURE.md, "Directories").
 * Whether an instance really runs is decided by its supervisor's socket alone.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { errnoOf, MeshError, sleep, systemClock } from "@argyle/core";
import { connectSupervisor, type SupervisorClient } from "@argyle/supervisor";
import { findRecordCopy, type InstanceRecord, readRecordIn, readRunDirIn } from "./record.ts";
import { START_LOCK } from "./start-lock.ts";

export interface Instance {
  readonly name: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly kubeconfig: string;
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
const STOP_DEADLINE_MS = 20_000;

export function locateInstance(name: string, env: Environment): Instance {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new MeshError(
      `"${name}" can't be the name of an instance: lower-case letters, digits and - only, at most 32`,
      { code: "usage.instance-name" },
    );
  }
  const stateDir = join(stateRoot(env), name);
  const runDir =
    readRunDirIn(stateDir) ??
    findRecordCopy(stateDir, runDirCandidates(stateDir, env, 0))?.runDir ??
    chooseRunDir(stateDir, env, 0);
  return { name, stateDir, runDir, kubeconfig: join(stateDir, "kubeconfig") };
}

/** An empty variable is an unset one (XDG Base Directory Specification); HOME may be missing altogether. */
function stateRoot(env: Environment): string {
  if (env.ARGYLE_STATE_DIR) return resolve(env.ARGYLE_STATE_DIR);
  return resolve(env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local/state"), "argyle");
}

/**
 * The instance with a run directory of its own for this start. Never the one of an earlier start: the guard of a supervisor that was
 * killed may still be about to remove that.
 */
export function withFreshRunDir(instance: Instance, env: Environment, startedAtMs: number): Instance {
  return { ...instance, runDir: chooseRunDir(instance.stateDir, env, startedAtMs) };
}

function runDirCandidates(stateDir: string, env: Environment, startedAtMs: number): readonly string[] {
  const hash = createHash("sha256").update(`${stateDir} ${startedAtMs}`).digest("hex").slice(0, 8);
  return [
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, `argyle-${hash}`)] : []),
    join(tmpdir(), `argyle-${userInfo().uid}`, hash),
    join("/tmp", `argyle-${userInfo().uid}`, hash),
  ];
}

function chooseRunDir(stateDir: string, env: Environment, startedAtMs: number): string {
  const fits = (dir: string) => Buffer.byteLength(dir) + LONGEST_SUFFIX <= MAX_SOCKET_PATH;
  const runDir = runDirCandidates(stateDir, env, startedAtMs).find(fits);
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
    advice: `start it with: ./argyle up${instanceFlag(instance)}`,
  });
}

/** Throws when the instance was never started: a kubectl without a kubeconfig would silently ask another cluster. */
export function requireKubeconfig(instance: Instance): void {
  if (existsSync(instance.kubeconfig)) return;
  throw new MeshError(`instance ${instance.name} has no kubeconfig: it was never started`, {
    code: "instance.not-running",
    advice: `start it with: ./argyle up${instanceFlag(instance)}`,
  });
}

/** ` --instance NAME` for the lines that we advise to type; empty for the default instance. */
export function instanceFlag(instance: Pick<Instance, "name">): string {
  return instance.name === "argyle" ? "" : ` --instance ${instance.name}`;
}

export function readRecord(instance: Instance): InstanceRecord | undefined {
  return readRecordIn(instance.stateDir) ?? readRecordIn(instance.runDir);
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

/** Removes everything that an earlier run left, but not the start lock that the caller holds. */
export function resetState(instance: Instance): void {
  if (existsSync(instance.stateDir)) {
    for (const entry of readdirSync(instance.stateDir)) {
      if (entry !== START_LOCK) rmSync(join(instance.stateDir, entry), { recursive: true, force: true });
    }
  }
  rmSync(instance.runDir, { recursive: true, force: true });
}

const STATE_REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "your disk quota is used up",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "a part of the path is a file",
  ENAMETOOLONG: "the path is too long",
};

/** A system error met below the state directory, as what the operator can do about it; anything else as it is. */
export function explainStateError(error: unknown, instance: Instance): unknown {
  const reason = STATE_REASONS[errnoOf(error) ?? ""];
  if (error instanceof MeshError || reason === undefined) return error;
  return new MeshError(`cannot write the state directory ${instance.stateDir}: ${reason}`, {
    code: "instance.state-dir",
    advice: "set ARGYLE_STATE_DIR to a directory that you can write, on a disk with at least 200 MB free",
  });
}

/** The directory of the bundles (`dist`) and the checkout around it. */
export function distDirectory(): string {
  return dirname(fileURLToPath(import.meta.url));
}

export function checkoutDirectory(): string {
  return dirname(distDirectory());
}
