/**
 * A real PostgreSQL 18 as a container: finds the binaries, makes the data directory, starts the postmaster on a unix socket in the pod's run directory,
 * makes the accounts, then publishes `<port>.sock`. SIGTERM is a fast shutdown. Minimal settings: a few megabytes each, started in tens of milliseconds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ALREADY_THERE, accountStatements, accountsFrom } from "./accounts.ts";
import { findBinaries } from "./binaries.ts";
import { prepareDataDirectory, templateDirectory } from "./data-directory.ts";
import { chooseIdentity, type Identity } from "./identity.ts";
import { makeSpare } from "./spare-copies.ts";
import { runStatements, SqlError } from "./wire.ts";

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "",
  shared_buffers: "8MB",
  max_connections: "50",
  wal_level: "minimal",
  max_wal_senders: "0",
  autovacuum: "off",
  io_method: "sync",
  jit: "off",
  max_worker_processes: "0",
  max_parallel_workers: "0",
  max_logical_replication_workers: "0",
  min_wal_size: "2MB",
  max_wal_size: "16MB",
  log_destination: "stderr",
};

/** When the start of everything else is over. */
const SPARE_AFTER_MS = 15_000;
const STARTING_UP = "57P03";
const READY_WITHIN_MS = 20_000;
/** Backends of a killed predecessor hold its shared memory for a moment after it; until then the postmaster refuses to start. */
const PREDECESSOR_MS = 5000;

main().catch(fail);

async function main(): Promise<void> {
  const env = process.env;
  const podDir = env.ARGYLE_POD_DIR ?? tmpdir();
  const containerDir = env.ARGYLE_CONTAINER_DIR ?? join(tmpdir(), `argyle-postgres-${process.pid}`);
  const ports = (env.ARGYLE_CONTAINER_PORTS ?? "")
    .split(",")
    .map(Number)
    .filter((port) => port > 0);
  const port = ports[0] ?? 5432;
  const identity = chooseIdentity();
  const cacheDir = join(
    identity.uid === undefined ? (env.ARGYLE_CACHE_DIR ?? containerDir) : "/var/tmp/argyle",
    "postgres",
  );
  mkdirSync(cacheDir, { recursive: true });
  const binaries = findBinaries(__filename, cacheDir);
  const volume = findVolume(env);
  const dataDir = volume === undefined ? join(ownRoot(identity, containerDir), "data") : join(volume, "pgdata");
  const isFresh = await prepareDataDirectory(dataDir, cacheDir, binaries, identity);

  const socket = join(podDir, `.s.PGSQL.${port}`);
  // Whatever listened here is dead: this container is the only one on its port.
  for (const stale of [socket, `${socket}.lock`]) rmSync(stale, { force: true });
  // Without a volume of its own that outlives the pod, a power loss takes the data with it anyway.
  const outlivesPod = volume !== undefined && !volume.startsWith(`${dirname(containerDir)}/`);
  const settings = { ...SETTINGS, fsync: outlivesPod ? "on" : "off", unix_socket_directories: podDir };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [file = "", ...args] = [...identity.prefix, binaries.postgres, "-D", dataDir, "-p", String(port), ...options];
  const launchEnv = { PATH: env.PATH, TZ: env.TZ ?? "UTC", LC_ALL: "C", ...binaries.env };
  const asUser = identity.uid === undefined ? {} : { uid: identity.uid, gid: identity.gid };
  const retryUntil = performance.now() + (isFresh ? 0 : PREDECESSOR_MS);
  let isReady = false;
  let isStopping = false;
  let postmaster: ChildProcess | undefined;
  const launch = () => {
    const child = spawn(file, args, { stdio: ["ignore", "inherit", "inherit"], env: launchEnv, ...asUser });
    postmaster = child;
    child.on("error", (error) => fail(error));
    child.on("exit", (code, signal) => {
      if (code === 1 && !isReady && !isStopping && performance.now() < retryUntil) setTimeout(launch, 20);
      else process.exit(code ?? (signal === null ? 1 : 137));
    });
  };
  launch();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      isStopping = true;
      postmaster?.kill("SIGINT");
    });
  }

  await makeAccounts(socket);
  isReady = true;
  for (const each of ports.length === 0 ? [port] : ports) publish(podDir, each, socket);
  process.stdout.write(`ready to accept connections on port ${port}, data in ${dataDir}\n`);
  if (isFresh) setTimeout(() => void makeSpare(templateDirectory(cacheDir, binaries)), SPARE_AFTER_MS).unref();
}

function fail(error: unknown): void {
  process.stderr.write(`postgres: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** Also waits until the server answers. */
async function makeAccounts(socket: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  // What is there already is no error that belongs into the log.
  const statements = ["SET log_min_messages = panic", ...accountStatements(accountsFrom(process.env))];
  for (;;) {
    try {
      await runStatements(socket, statements, ALREADY_THERE);
      return;
    } catch (error) {
      const isFinal = error instanceof SqlError && error.state !== STARTING_UP;
      if (isFinal || performance.now() > deadline) throw error;
      await delay(2);
    }
  }
}

function publish(podDir: string, port: number, socket: string): void {
  const link = join(podDir, `${port}.sock`);
  rmSync(link, { force: true });
  symlinkSync(socket, link);
}

/** Where a volume is mounted for the data, as the original images expect it; the real path, since postgres is no Node program. */
function findVolume(env: NodeJS.ProcessEnv): string | undefined {
  const root = env.ARGYLE_CONTAINER_ROOTFS;
  if (root === undefined) return undefined;
  const pgdata = env.PGDATA ?? "/var/lib/postgresql/data";
  const candidates = [pgdata, dirname(pgdata), "/var/lib/postgresql", "/var/lib/mysql", "/data/db"];
  const found = candidates.map((path) => join(root, path)).find((path) => existsSync(path));
  return found === undefined ? undefined : realpathSync(found);
}

/** nobody cannot reach a directory inside a home that is closed to others. */
function ownRoot(identity: Identity, containerDir: string): string {
  return identity.uid === undefined ? containerDir : join("/var/tmp/argyle", "postgres-data", String(process.pid));
}
