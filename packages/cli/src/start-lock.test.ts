import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { START_LOCK, takeStartLock } from "./start-lock.ts";

/** No process has it: Linux ends at 2^22, macOS at 99,998. */
const NOBODY = 2 ** 30;

function setUp(t: TestContext) {
  const stateDir = mkdtempSync(join(tmpdir(), "start-lock-"));
  t.after(() => rmSync(stateDir, { recursive: true }));
  const instance = { name: "argyle", stateDir };
  return { instance, path: join(stateDir, START_LOCK), files: () => readdirSync(stateDir) };
}

test("one holds it, the next is told who, and nothing but the lock lies about", (t) => {
  const { instance, path, files } = setUp(t);
  const release = takeStartLock(instance);
  assert.equal(readFileSync(path, "utf8"), String(process.pid));
  assert.throws(() => takeStartLock(instance), { code: "instance.locked", message: /process \d+/ });
  assert.deepEqual(files(), [START_LOCK]);
  release();
  assert.deepEqual(files(), []);
  takeStartLock(instance)();
});

for (const [what, text] of [
  ["of a process that is gone", String(NOBODY)],
  ["without a holder", ""],
] as const)
  test(`a lock ${what} is taken over`, (t) => {
    const { instance, path, files } = setUp(t);
    writeFileSync(path, text);
    const release = takeStartLock(instance);
    assert.equal(readFileSync(path, "utf8"), String(process.pid));
    assert.deepEqual(files(), [START_LOCK]);
    release();
  });
