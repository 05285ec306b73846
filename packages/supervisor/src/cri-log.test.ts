import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "@argyle/core";
import { tempDir } from "@argyle/testkit";
import { formatCriLines, openCriLog } from "./cri-log.ts";

const T = "2026-11-22T10:00:00.000Z";

const cases = [
  { name: "one line", chunks: ["a\n"], out: `${T} stdout F a\n`, rest: "" },
  { name: "two lines and a begun one", chunks: ["a\nb\nc"], out: `${T} stdout F a\n${T} stdout F b\n`, rest: "c" },
  { name: "a line in pieces", chunks: ["a", "b", "\n"], out: `${T} stdout F ab\n`, rest: "" },
  { name: "an empty line", chunks: ["\n"], out: `${T} stdout F \n`, rest: "" },
  {
    name: "a line longer than 16 KiB",
    chunks: [`${"x".repeat(16_385)}\n`],
    out: `${T} stdout P ${"x".repeat(16_384)}\n${T} stdout F x\n`,
    rest: "",
  },
];
for (const c of cases) {
  for (const mode of ["whole", "byte by byte"]) {
    test(`formats ${c.name}, ${mode}`, () => {
      const chunks = mode === "whole" ? c.chunks : [...c.chunks.join("")];
      let pending = Buffer.alloc(0);
      let out = "";
      for (const chunk of chunks) {
        const step = formatCriLines("stdout", T, pending, Buffer.from(chunk));
        out += Buffer.concat([...step.records]).toString();
        pending = Buffer.from(step.rest);
      }
      assert.equal(out, c.out);
      assert.equal(pending.toString(), c.rest);
    });
  }
}

test("rotates by size and keeps no more than maxFiles", (t) => {
  const path = `${tempDir(t)}/0.log`;
  const writer = openCriLog({ path, maxBytes: 60, maxFiles: 3 }, systemClock);
  for (const word of ["one", "two", "three", "four", "five"]) writer.write("stdout", Buffer.from(`${word}\n`));
  writer.close();
  assert.match(readFileSync(path, "utf8"), /F five\n$/);
  assert.match(readFileSync(`${path}.1`, "utf8"), /F four\n$/);
  assert.match(readFileSync(`${path}.2`, "utf8"), /F three\n$/);
  assert.ok(!existsSync(`${path}.3`));
});

test("loses lines rather than throw when the directory is gone", (t) => {
  const dir = tempDir(t);
  const writer = openCriLog({ path: `${dir}/pod/0.log`, maxBytes: 60 }, systemClock);
  writer.write("stdout", Buffer.from("one\n"));
  rmSync(`${dir}/pod`, { recursive: true });
  writer.write("stdout", Buffer.from(`${"x".repeat(60)}\n`));
  assert.equal(writer.lost(), 1);
  writer.close();
});
