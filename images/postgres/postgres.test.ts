import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import pg from "pg";

declare const __ARGYLE_ROOT__: string;

const root = mkdtempSync(join(tmpdir(), "ag-pg-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));
const bundle = join(__ARGYLE_ROOT__, "dist/test", `postgres-${process.pid}.cjs`);
const built = build({
  entryPoints: [join(__ARGYLE_ROOT__, "images/postgres/main.ts")],
  outfile: bundle,
  bundle: true,
  platform: "node",
  format: "cjs",
  logLevel: "error",
});
process.on("exit", () => rmSync(bundle, { force: true }));

interface Pod {
  readonly child: ChildProcess;
  readonly podDir: string;
  readonly readyMs: number;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

async function start(name: string, port: number, env: Readonly<Record<string, string>> = {}): Promise<Pod> {
  await built;
  const podDir = join(root, `${name}.r`);
  const containerDir = join(root, name, "db");
  mkdirSync(podDir, { recursive: true });
  mkdirSync(containerDir, { recursive: true });
  rmSync(join(podDir, `${port}.sock`), { force: true });
  const began = performance.now();
  const child = spawn(process.execPath, [bundle], {
    detached: true,
    stdio: ["ignore", "ignore", process.env.DEBUG === undefined ? "ignore" : "inherit"],
    env: {
      PATH: process.env.PATH,
      ARGYLE_POD_DIR: podDir,
      ARGYLE_CONTAINER_DIR: containerDir,
      ARGYLE_CONTAINER_PORTS: String(port),
      ARGYLE_CACHE_DIR: join(root, "cache"),
      ...env,
    },
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  while (!existsSync(join(podDir, `${port}.sock`))) {
    assert.equal(child.exitCode, null, "postgres ended before it was ready");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return {
    child,
    podDir,
    readyMs: performance.now() - began,
    stop(signal = "SIGTERM") {
      process.kill(-(child.pid ?? 0), signal);
      return ended;
    },
  };
}

async function query(pod: Pod, port: number, user: string, database: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ host: pod.podDir, port, user, database, password: "any" });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test("serves real PostgreSQL on the port the container declares, with its accounts, and stops fast", async () => {
  const pod = await start("catalogue-db", 3306, { MYSQL_DATABASE: "socksdb", HOSTNAME: "catalogue-db-1-x" });
  const rows = await query(pod, 3306, "catalogue_user", "socksdb", "SELECT version() AS v, current_user AS u");
  assert.match(JSON.stringify(rows), /PostgreSQL 18\..*catalogue_user/);
  await query(pod, 3306, "catalogue_user", "socksdb", "CREATE TABLE sock (id int)");
  const began = performance.now();
  assert.equal(await pod.stop(), 0);
  assert.ok(performance.now() - began < 2000);
});

test("starts from the template in a fraction of the time, and keeps data over kill -9", async () => {
  const pod = await start("carts-db", 27017, { HOSTNAME: "carts-db-1-x" });
  assert.ok(pod.readyMs < 2000, `ready after ${pod.readyMs} ms`);
  await query(pod, 27017, "carts", "carts", "CREATE TABLE cart AS SELECT 7 AS id");
  await pod.stop("SIGKILL");
  const again = await start("carts-db", 27017, { HOSTNAME: "carts-db-1-x" });
  assert.deepEqual(await query(again, 27017, "carts", "carts", "SELECT id FROM cart"), [{ id: 7 }]);
  assert.equal(await again.stop(), 0);
});

test("keeps its data in a volume that is mounted where the original image has it", async () => {
  const volume = join(root, "volume");
  const rootfs = join(root, "rootfs");
  mkdirSync(volume);
  mkdirSync(join(rootfs, "var/lib/postgresql"), { recursive: true });
  symlinkSync(volume, join(rootfs, "var/lib/postgresql/data"));
  const pod = await start("own", 5432, { ARGYLE_CONTAINER_ROOTFS: rootfs, POSTGRES_USER: "app", POSTGRES_DB: "shop" });
  assert.deepEqual(await query(pod, 5432, "app", "shop", "SHOW fsync"), [{ fsync: "on" }]);
  await pod.stop();
  assert.ok(existsSync(join(volume, "pgdata/PG_VERSION")));
});
