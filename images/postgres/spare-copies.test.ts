import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeSpare, spareName, takeSpare } from "./spare-copies.ts";

function tempDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "spare-copies-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("a spare copy is taken once, and there are never more than four", async (t) => {
  const cache = tempDir(t);
  const template = join(cache, "template-18");
  mkdirSync(template);
  writeFileSync(join(template, "PG_VERSION"), "18");
  const name = spareName(template);
  const spares = () => readdirSync(cache).filter((entry) => entry.startsWith("spare-of-template-18."));

  assert.equal(takeSpare(name, join(cache, "a")), false);
  await makeSpare(template);
  assert.equal(takeSpare(name, join(cache, "a")), true);
  assert.equal(readFileSync(join(cache, "a/PG_VERSION"), "utf8"), "18");
  assert.equal(takeSpare(name, join(cache, "b")), false);
  assert.equal(existsSync(join(cache, "b")), false);

  for (let i = 0; i < 6; i++) await makeSpare(template);
  assert.equal(spares().length, 4);
  mkdirSync(join(cache, "c"));
  assert.equal(takeSpare(name, join(cache, "c")), true, "an empty directory is replaced");
  mkdirSync(join(cache, "d"));
  writeFileSync(join(cache, "d/mine"), "");
  assert.equal(takeSpare(name, join(cache, "d")), false, "a directory with files is not");
  assert.equal(spares().length, 3);
});

test("a copy that is not finished is not taken", async (t) => {
  const cache = tempDir(t);
  const template = join(cache, "template-18");
  const part = `${spareName(template)}.1-x.part`;
  mkdirSync(part);
  assert.equal(takeSpare(spareName(template), join(cache, "a")), false);
});
