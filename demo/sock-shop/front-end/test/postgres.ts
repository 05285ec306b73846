/** One real PostgreSQL for a test, with the databases and accounts of the shop's four stores, on a unix socket in a temporary directory. */
import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { accountStatements, accountsFrom } from "../../../../images/postgres/accounts.ts";
import { findBinaries } from "../../../../images/postgres/binaries.ts";
import { prepareDataDirectory } from "../../../../images/postgres/data-directory.ts";
import { chooseIdentity } from "../../../../images/postgres/identity.ts";
import { runStatements } from "../../../../images/postgres/wire.ts";

export type StoreName = "catalogue" | "user" | "carts" | "orders";

export interface TestPostgres {
  url(store: StoreName): string;
  stop(): Promise<void>;
}

const PORT = 5432;
const DATABASES: Readonly<Record<StoreName, readonly [role: string, database: string]>> = {
  catalogue: ["catalogue_user", "socksdb"],
  user: ["user", "users"],
  carts: ["carts", "carts"],
  orders: ["orders", "orders"],
};

export async function startPostgres(root: string): Promise<TestPostgres> {
  const dir = mkdtempSync(join(tmpdir(), "ag-shop-"));
  const cacheDir = join(tmpdir(), "argyle-test-postgres");
  const identity = chooseIdentity();
  mkdirSync(cacheDir, { recursive: true });
  if (identity.uid !== undefined && identity.gid !== undefined) chownSync(dir, identity.uid, identity.gid);
  chmodSync(dir, 0o755);
  const binaries = findBinaries(join(root, "package.json"), cacheDir);
  const dataDir = join(dir, "data");
  await prepareDataDirectory(dataDir, cacheDir, binaries, identity);
  const settings = {
    listen_addresses: "",
    unix_socket_directories: dir,
    fsync: "off",
    shared_buffers: "8MB",
    max_worker_processes: "0",
    io_method: "sync",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [file = "", ...args] = [...identity.prefix, binaries.postgres, "-D", dataDir, "-p", String(PORT), ...options];
  const child = spawn(file, args, {
    stdio: "ignore",
    env: { PATH: process.env.PATH, LC_ALL: "C", ...binaries.env },
    ...(identity.uid === undefined ? {} : { uid: identity.uid, gid: identity.gid }),
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGINT");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const socket = join(dir, `.s.PGSQL.${PORT}`);
  const accounts = Object.keys(DATABASES).flatMap((store) => accountsFrom({ HOSTNAME: `${store}-db-test` }).slice(1));
  try {
    await untilReady(socket);
    await runStatements(socket, accountStatements(accounts), ["3D000", "42P04", "42710"]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url(store) {
      const [role, database] = DATABASES[store];
      return `postgres://${role}:test@localhost:${PORT}/${database}?host=${encodeURIComponent(dir)}`;
    },
    stop,
  };
}

async function untilReady(socket: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    try {
      return await runStatements(socket, ["SELECT 1"], []);
    } catch (error) {
      if (performance.now() > deadline) throw new Error("PostgreSQL does not start", { cause: error });
      await delay(5);
    }
  }
}
