import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import { readFlags } from "./command.ts";
import { exitCodeOf, explain } from "./exit.ts";

const codes = [
  { error: new Error("x"), exit: 1 },
  { error: "x", exit: 1 },
  { error: new MeshError("x", { code: "deploy.shop" }), exit: 1 },
  { error: new MeshError("x", { code: "instance.state-dir" }), exit: 1 },
  { error: new MeshError("x", { code: "usage.command" }), exit: 2 },
  { error: new MeshError("x", { code: "instance.not-running" }), exit: 3 },
  { error: new MeshError("x", { code: "instance.locked" }), exit: 4 },
  { error: new MeshError("x", { code: "instance.running" }), exit: 4 },
  { error: new MeshError("x", { code: "instance.other-version" }), exit: 4 },
  { error: new MeshError("x", { code: "ports.in-use" }), exit: 4 },
  { error: new MeshError("x", { code: "interrupted" }), exit: 130 },
];
for (const { error, exit } of codes) {
  const name = error instanceof MeshError ? error.code : String(error);
  test(`${name} ends with ${exit}`, () => assert.equal(exitCodeOf(error), exit));
}

test("says what happened, why, and what to do", () => {
  const error = new MeshError("it broke", { code: "x", cause: new Error("ENOENT"), advice: "mend it" });
  assert.equal(explain(error), "argyle: it broke: ENOENT\n  mend it");
  assert.equal(explain(new Error("plain")), "argyle: plain");
});

test("a usage error names every problem and the command to ask", () => {
  const flags = { demo: { kind: "string", oneOf: ["none"], help: "" }, port: { kind: "number", help: "" } } as const;
  const read = () => readFlags("up", ["--demo", "x", "--port", "y", "--what"], flags);
  assert.throws(read, (error) => {
    assert.equal(exitCodeOf(error), 2);
    assert.equal(
      explain(error),
      `argyle: --demo: must be one of none, not "x"\n        --port: must be a number, not "y"\n        --what: unknown flag\n  see: ./argyle help up`,
    );
    return true;
  });
  assert.throws(() => readFlags("down", ["now"], flags), /now: unexpected argument/);
});
