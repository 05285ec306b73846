import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import { build } from "esbuild";
import { connectSupervisor, type SupervisorClient } from "./client.ts";

declare const __ARGYLE_ROOT__: string;

interface Scope extends TestScope {
  after(fn: () => void | Promise<void>): void;
}

const ENV = { PATH: process.env.PATH ?? "" };
/** A leader, a child in its group, and a grandchild that left for a session of its own; each writes its pid. */
const TREE = (dir: string, name: string) =>
  `echo $$ > ${dir}/${name}.1; sleep 300 & echo $! > ${dir}/${name}.2; setsid sleep 300 & echo $! > ${dir}/${name}.3; wait`;

async function startMain(t: Scope, components: readonly unknown[]): Promise<Running> {
  const dir = tempDir(t);
  const bundle = join(dir, "supervisor.cjs");
  await build({
    entryPoints: [join(__ARGYLE_ROOT__, "packages/supervisor/src/main.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
    alias: { "@argyle/core": join(__ARGYLE_ROOT__, "packages/core/src/index.ts") },
  });
  const runDir = join(dir, "run");
  mkdirSync(join(dir, "pids"));
  writeFileSync(join(dir, "spec.json"), JSON.stringify({ components }));
  const child = spawn(
    process.execPath,
    [bundle, "--run-dir", runDir, "--state-dir", join(dir, "state"), "--spec", join(dir, "spec.json")],
    { stdio: "inherit" },
  );
  t.after(() => void child.kill("SIGKILL"));
  const client = await eventually("the socket", () => connectSupervisor(join(runDir, "supervisor.sock")));
  t.after(() => client.close());
  return { child, client, runDir, pidDir: join(dir, "pids"), stateDir: join(dir, "state") };
}

interface Running {
  readonly child: ChildProcess;
  readonly client: SupervisorClient;
  readonly runDir: string;
  readonly pidDir: string;
  readonly stateDir: string;
}

async function startTree(running: Running, name: string): Promise<number[]> {
  await running.client.start({ name, argv: ["/bin/sh", "-c", TREE(running.pidDir, name)], env: ENV, cwd: "/" });
  return eventually("the tree", () =>
    [1, 2, 3].map((i) => {
      const pid = Number(readFileSync(join(running.pidDir, `${name}.${i}`), "utf8"));
      assert.ok(pid > 0);
      return pid;
    }),
  );
}

function assertGone(pids: readonly number[]): void {
  for (const pid of pids) {
    if (!existsSync(`/proc/${pid}/stat`)) continue;
    const state = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0];
    assert.equal(state, "Z", `${pid} is alive`);
  }
}

test("kill -9 of the supervisor leaves no process and no run directory", async (t) => {
  const running = await startMain(t, []);
  const pids = [...(await startTree(running, "a")), ...(await startTree(running, "b"))];
  running.child.kill("SIGKILL");
  await eventually("all are gone", () => {
    assertGone(pids);
    assert.ok(!existsSync(running.runDir));
  });
});

test("shutdown ends components and the rest, and removes the run directory", async (t) => {
  const log = join(tempDir(t), "c.log");
  const component = { name: "cluster", argv: ["/bin/sh", "-c", "echo up; sleep 300"], env: ENV, cwd: "/", log };
  const running = await startMain(t, [component]);
  const pids = await startTree(running, "a");
  const cluster = (await running.client.list()).find((entry) => entry.name === "cluster");
  assert.equal(cluster?.state, "running");
  await eventually("its output", () => assert.equal(readFileSync(log, "utf8"), "up\n"));
  const ended = new Promise((resolve) => running.child.once("exit", (code) => resolve(code)));
  await running.client.shutdown();
  assert.equal(await ended, 0);
  assertGone([...pids, cluster.pid]);
  assert.ok(!existsSync(running.runDir));
});

test("keeps an exit for a client that was away, until it is forgotten", async (t) => {
  const running = await startMain(t, []);
  await running.client.start({ name: "a", argv: ["/bin/sh", "-c", "exit 3"], env: ENV, cwd: "/" });
  running.client.close();
  const second = await connectSupervisor(join(running.runDir, "supervisor.sock"));
  t.after(() => second.close());
  await eventually("the exit", async () => assert.equal((await second.list())[0]?.exit?.code, 3));
  await second.forget("a");
  assert.deepEqual(await second.list(), []);
});

test("a client is told of exits as they happen, and of a request that cannot be met", async (t) => {
  const running = await startMain(t, []);
  const exits: string[] = [];
  running.client.onExited((event) => exits.push(`${event.name} ${event.signal}`));
  await running.client.start({ name: "a", argv: ["/bin/sleep", "60"], env: ENV, cwd: "/" });
  await running.client.signal({ name: "a", signal: "SIGTERM" });
  await eventually("the exit", () => assert.deepEqual(exits, ["a SIGTERM"]));
  await assert.rejects(running.client.signal({ name: "b", signal: "SIGTERM" }), { code: "supervisor.process.unknown" });
});
