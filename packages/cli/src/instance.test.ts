import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import { tempDir } from "@argyle/testkit";
import { exitCodeOf } from "./exit.ts";
import { explainStateError, findRunning, locateInstance, resetState, withFreshRunDir } from "./instance.ts";
import { type InstanceRecord, parseRecord, writeRecord } from "./record.ts";
import { takeStartLock } from "./start-lock.ts";

const places = [
  {
    name: "ARGYLE_STATE_DIR comes first",
    env: { ARGYLE_STATE_DIR: "/a b", XDG_STATE_HOME: "/x", HOME: "/h" },
    at: "/a b/i",
  },
  { name: "then XDG_STATE_HOME", env: { XDG_STATE_HOME: "/x", HOME: "/h" }, at: "/x/argyle/i" },
  { name: "then HOME", env: { HOME: "/h" }, at: "/h/.local/state/argyle/i" },
  {
    name: "empty variables are unset ones",
    env: { ARGYLE_STATE_DIR: "", XDG_STATE_HOME: "", HOME: "/h" },
    at: "/h/.local/state/argyle/i",
  },
  { name: "without HOME the system's word counts", env: {}, at: join(homedir(), ".local/state/argyle/i") },
];
for (const { name, env, at } of places) {
  test(`state directory: ${name}`, () => {
    const instance = locateInstance("i", env);
    assert.equal(instance.stateDir, at);
    assert.equal(instance.kubeconfig, join(at, "kubeconfig"));
  });
}

for (const name of ["", "A", "-a", "a-", "a/b", "..", "a".repeat(33)]) {
  test(`"${name}" is no name of an instance`, () =>
    assert.throws(
      () => locateInstance(name, { HOME: "/h" }),
      (error) => exitCodeOf(error) === 2,
    ));
}

test("a run directory fits a unix socket, however long the others are", () => {
  const env = { HOME: `/${"h".repeat(300)}`, XDG_RUNTIME_DIR: `/${"r".repeat(90)}` };
  const { runDir } = locateInstance("i", env);
  assert.ok(runDir.length + "/10.244.255.255/.s.PGSQL.65535".length <= 103, runDir);
  assert.match(locateInstance("i", { XDG_RUNTIME_DIR: "/run/user/1" }).runDir, /^\/run\/user\/1\/argyle-[0-9a-f]{8}$/);
});

test("every start has a run directory of its own", () => {
  const instance = locateInstance("i", { HOME: "/h" });
  assert.notEqual(
    withFreshRunDir(instance, { HOME: "/h" }, 1).runDir,
    withFreshRunDir(instance, { HOME: "/h" }, 2).runDir,
  );
});

test("a damaged record is found again by its copy in the run directory", (t) => {
  const root = tempDir(t);
  const env = { ARGYLE_STATE_DIR: join(root, "state"), XDG_RUNTIME_DIR: join(root, "run") };
  const instance = withFreshRunDir(locateInstance("i", env), env, 7);
  mkdirSync(instance.stateDir, { recursive: true });
  mkdirSync(instance.runDir, { recursive: true });
  const record: InstanceRecord = {
    version: "1",
    checkout: "/c",
    stateDir: instance.stateDir,
    runDir: instance.runDir,
    apiPort: 1,
    gatewayPort: 2,
    demo: "mesh",
    isDeployed: true,
    phase: "up",
    startedAt: 7,
  };
  writeRecord(record);
  assert.equal(locateInstance("i", env).runDir, instance.runDir);
  for (const damage of ["", "{", "null", "[]", '{"runDir":1}', JSON.stringify({ ...record, demo: "x" })]) {
    assert.equal(parseRecord(damage), undefined, damage);
    writeFileSync(join(instance.stateDir, "instance.json"), damage);
    assert.equal(locateInstance("i", env).runDir, instance.runDir, damage);
  }
  rmSync(join(instance.stateDir, "instance.json"));
  assert.equal(locateInstance("i", env).runDir, instance.runDir);
  assert.notEqual(locateInstance("other", env).runDir, instance.runDir);
});

test("an instance without a supervisor does not run", async (t) => {
  assert.equal(await findRunning(locateInstance("i", { ARGYLE_STATE_DIR: tempDir(t) })), undefined);
});

test("one start at a time; the lock of a process that is gone is taken over", (t) => {
  const instance = { name: "i", stateDir: join(tempDir(t), "i") };
  const release = takeStartLock(instance);
  assert.throws(
    () => takeStartLock(instance),
    (error) => exitCodeOf(error) === 4,
  );
  release();
  for (const holder of ["999999999", "", "nonsense"]) {
    writeFileSync(join(instance.stateDir, "start.lock"), holder);
    takeStartLock(instance)();
  }
});

test("reset removes everything but the lock that is held", (t) => {
  const instance = locateInstance("i", { ARGYLE_STATE_DIR: tempDir(t) });
  const release = takeStartLock(instance);
  mkdirSync(join(instance.stateDir, "store/deep"), { recursive: true });
  resetState(instance);
  assert.equal(existsSync(join(instance.stateDir, "store")), false);
  assert.equal(existsSync(join(instance.stateDir, "start.lock")), true);
  release();
});

test("a system error below the state directory becomes advice, others stay as they are", () => {
  const instance = { ...locateInstance("i", { HOME: "/h" }) };
  const full = explainStateError(Object.assign(new Error("x"), { code: "ENOSPC" }), instance);
  assert.ok(full instanceof MeshError && /disk is full/.test(full.message) && full.advice !== undefined);
  const other = new Error("x");
  assert.equal(explainStateError(other, instance), other);
});
