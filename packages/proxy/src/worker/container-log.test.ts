import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createFakeClock } from "@argyle/testkit";
import { openContainerLog } from "./container-log.ts";

function setUp(t: TestContext, already = "") {
  const dir = mkdtempSync(join(tmpdir(), "container-log-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "0.log");
  writeFileSync(path, already);
  const clock = createFakeClock(Date.UTC(2026, 10, 28));
  const lost: unknown[] = [];
  const log = openContainerLog(path, clock, (error) => void lost.push(error));
  return { dir, path, clock, lost, log, read: (file = path) => readFileSync(file, "utf8") };
}

test("lines are gathered, and written in the form of the CRI after a while and when it is closed", async (t) => {
  const { clock, log, read } = setUp(t);
  log.write("stdout", "one\n");
  log.write("stderr", "two");
  assert.equal(read(), "");
  await clock.advance(50);
  const first = "2026-11-28T00:00:00.000Z stdout F one\n2026-11-28T00:00:00.000Z stderr F two\n";
  assert.equal(read(), first);
  log.write("stdout", "last");
  log.close();
  assert.equal(read(), `${first}2026-11-28T00:00:00.050Z stdout F last\n`);
});

test("a line after the end is dropped: it must not reach whatever file has the descriptor now", async (t) => {
  const { dir, clock, lost, log, read } = setUp(t);
  log.close();
  const other = join(dir, "other");
  openSync(other, "w");
  log.write("stderr", "late");
  await clock.advance(1000);
  log.close();
  assert.deepEqual([read(), read(other), clock.pending(), lost.length], ["", "", 0, 0]);
});

test("rotated at 10 MB", async (t) => {
  const { path, clock, log, read } = setUp(t, "x".repeat(10 * 1024 * 1024));
  log.write("stdout", "old");
  await clock.advance(50);
  log.write("stdout", "new");
  log.close();
  assert.match(read(), /^\S+ stdout F new\n$/);
  assert.match(read(`${path}.1`), /x\S+ stdout F old\n$/);
});

test("what cannot be written is lost and told once, and the log goes on", async (t) => {
  const { path, clock, lost, log, read } = setUp(t, "x".repeat(10 * 1024 * 1024));
  writeFileSync(`${path}.1`, "");
  mkdirSync(`${path}.2`);
  for (const line of ["one", "two"]) {
    log.write("stdout", line);
    await clock.advance(50);
  }
  assert.equal(lost.length, 1);
  rmSync(`${path}.2`, { recursive: true });
  log.write("stdout", "three");
  log.write("stdout", "four");
  await clock.advance(50);
  log.write("stdout", "five");
  log.close();
  assert.match(read(), /^\S+ stdout F five\n$/);
  assert.match(read(`${path}.1`), /one\n.*two\n.*three\n.*four\n$/s);
  assert.equal(lost.length, 1);
});
