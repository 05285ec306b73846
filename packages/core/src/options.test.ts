import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.ts";

const specs = {
  instance: { kind: "string", help: "name" },
  port: { kind: "number", help: "port", alias: "p" },
  detach: { kind: "boolean", help: "detach", alias: "d" },
  only: { kind: "list", help: "names" },
  output: { kind: "string", help: "form", alias: "o", oneOf: ["text", "json"] },
} as const;

const cases = [
  {
    name: "reads values after a space and after =",
    argv: ["--instance", "a", "--port=7"],
    flags: { instance: "a", port: 7 },
  },
  { name: "reads aliases", argv: ["-p", "7", "-d"], flags: { port: 7, detach: true } },
  { name: "reads --no-flag", argv: ["--no-detach"], flags: { detach: false } },
  { name: "collects lists", argv: ["--only", "a", "--only", "b"], flags: { only: ["a", "b"] } },
];
for (const c of cases) {
  test(c.name, () => {
    const result = parseOptions(c.argv, specs);
    assert.ok(result.ok);
    assert.deepEqual(result.value.flags, c.flags);
  });
}

test("keeps what follows -- untouched", () => {
  const result = parseOptions(["exec", "--", "--port", "x"], specs);
  assert.ok(result.ok);
  assert.deepEqual(result.value.positionals, ["exec"]);
  assert.deepEqual(result.value.rest, ["--port", "x"]);
});

test("returns every problem at once", () => {
  const result = parseOptions(["--instanse=a", "--port", "x", "--output", "xml", "--instance"], specs);
  assert.ok(!result.ok);
  assert.deepEqual(
    result.error.map((p) => p.path),
    ["--instanse", "--port", "--output", "--instance"],
  );
  assert.match(result.error[0]?.message ?? "", /did you mean --instance/);
});
