import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { MeshError, silentLogger, systemClock } from "@argyle/core";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import type { ExitedEvent } from "./protocol.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

const ENV = { PATH: process.env.PATH ?? "" };

interface Scope extends TestScope {
  after(fn: () => void | Promise<void>): void;
}

function setUp(t: Scope): { supervisor: Supervisor; exits: ExitedEvent[]; dir: string } {
  const dir = tempDir(t);
  const supervisor = createSupervisor({ runDir: dir, clock: systemClock, log: silentLogger, graceMs: 500 });
  const exits: ExitedEvent[] = [];
  supervisor.onExited((event) => exits.push(event));
  t.after(() => supervisor.shutdown());
  return { supervisor, exits, dir };
}

const sh = (name: string, script: string) => ({ name, argv: ["/bin/sh", "-c", script], env: ENV, cwd: "/" });

const exitCases = [
  { name: "reports an exit code", script: "exit 7", code: 7, signal: null },
  { name: "reports a fatal signal", script: "kill -TERM $$", code: null, signal: "SIGTERM" },
];
for (const c of exitCases) {
  test(c.name, async (t) => {
    const { supervisor, exits } = setUp(t);
    const started = await supervisor.start(sh("a", c.script));
    await eventually("exit", () => assert.equal(exits.length, 1));
    assert.deepEqual(exits[0], { name: "a", pid: started.pid, code: c.code, signal: c.signal, at: exits[0]?.at });
    assert.equal(supervisor.list()[0]?.state, "exited");
    supervisor.forget("a");
    assert.deepEqual(supervisor.list(), []);
  });
}

test("restarts at once the first time and with back-off after that", async (t) => {
  const { supervisor, dir } = setUp(t);
  const script = `date +%s%N >> ${dir}/starts; exit 1`;
  await supervisor.start({ ...sh("a", script), restart: { baseMs: 150, maxMs: 1000 } });
  const times = await eventually("three starts", () => {
    const lines = readFileSync(`${dir}/starts`, "utf8").trim().split("\n");
    assert.ok(lines.length >= 3);
    return lines.map((line) => Number(BigInt(line) / 1_000_000n));
  });
  const [first = 0, second = 0, third = 0] = times;
  assert.ok(second - first < 300, `first restart after ${second - first} ms`);
  assert.ok(third - second >= 150, `second restart after ${third - second} ms`);
});

test("kills what is left of a group when its leader ends", async (t) => {
  const { supervisor, exits, dir } = setUp(t);
  await supervisor.start(sh("a", `sleep 60 & echo $! > ${dir}/pid; exit 0`));
  await eventually("exit", () => assert.equal(exits.length, 1));
  const pid = Number(readFileSync(`${dir}/pid`, "utf8"));
  await eventually("sleep is gone", () => assert.throws(() => process.kill(pid, 0)));
});

test("writes output as CRI lines that keep their stream, through a real pipe", async (t) => {
  const { supervisor, exits, dir } = setUp(t);
  const log = { path: `${dir}/logs/0.log` };
  await supervisor.start({ ...sh("a", "echo one; echo two > /dev/stderr; printf three"), log });
  await eventually("exit", () => assert.equal(exits.length, 1));
  const lines = readFileSync(log.path, "utf8").trim().split("\n");
  const parsed = lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "")).sort();
  assert.deepEqual(parsed, ["stderr F two", "stdout F one", "stdout F three"]);
});

const refusals = [
  {
    name: "a program that is not there",
    argv: ["/no/such/program"],
    cwd: "/",
    code: "supervisor.process.spawn-failed",
  },
  {
    name: "a directory that is not there",
    argv: ["/bin/true"],
    cwd: "/no/such",
    code: "supervisor.process.spawn-failed",
  },
];
for (const c of refusals) {
  test(`refuses ${c.name} and keeps no entry`, async (t) => {
    const { supervisor, dir } = setUp(t);
    const start = supervisor.start({ name: "a", argv: c.argv, env: ENV, cwd: c.cwd, log: { path: `${dir}/l` } });
    await assert.rejects(start, (error) => error instanceof MeshError && error.code === c.code);
    assert.deepEqual(supervisor.list(), []);
  });
}

test("refuses a second process of the same name, and forgetting a running one", async (t) => {
  const { supervisor } = setUp(t);
  await supervisor.start(sh("a", "sleep 60"));
  await assert.rejects(supervisor.start(sh("a", "true")), { code: "supervisor.process.exists" });
  assert.throws(() => supervisor.forget("a"), { code: "supervisor.process.running" });
});

test("does not leak file descriptors over many starts", async (t) => {
  const { supervisor, exits, dir } = setUp(t);
  const run = async (i: number) => {
    await supervisor.start({ ...sh(`p${i}`, "echo x"), log: { path: `${dir}/logs/${i}.log` } });
    await eventually("exit", () => assert.ok(exits.some((e) => e.name === `p${i}`)));
  };
  const openFds = () => readdirSync("/proc/self/fd").length;
  await run(0);
  const before = openFds();
  for (let i = 1; i <= 10; i++) await run(i);
  await eventually("descriptors are back", () => assert.ok(openFds() <= before, `${openFds()} open, was ${before}`));
});

test("starts another guard when the guard is killed", async (t) => {
  const { supervisor } = setUp(t);
  const first = supervisor.guardPid() ?? 0;
  process.kill(first, "SIGKILL");
  await eventually("a new guard", () => assert.notEqual(supervisor.guardPid(), first));
});
