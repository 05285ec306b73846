import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Case } from "./case.ts";
import { decodeGoLiteral } from "./go-literals.ts";
import { fillGoTemplate } from "./go-template.ts";
import { replayFolder, type SetCase } from "./replay.ts";
import { repositoryRoot } from "./repository-root.ts";

const testdata = join(repositoryRoot, "test/conformance/testdata");

async function lines(cases: AsyncIterable<SetCase>): Promise<readonly string[]> {
  const out: string[] = [];
  for await (const { set, id, result, why } of cases) {
    // What a case lacks is said, and only a pass needs no words.
    assert.equal(why === "", result === "pass", `${id}: ${why}`);
    out.push(`${set} | ${id} | ${result}`);
  }
  return out;
}

test("every case of a folder is told once, with its own name", async () => {
  assert.deepEqual(await lines(replayFolder(testdata, ["istio-validation", "llhttp", "made-up"])), [
    "istio-validation | a gateway with a server | pass",
    "istio-validation | a gateway without servers, of which this set claims that it is valid | fail",
    "istio-validation | a kind that is not served | n/a",
    "istio-validation | a kind that is not served#2 | fail",
    "llhttp | ours.md:1 [request] a request | pass",
    "llhttp | ours.md:2 [request] a request that this set claims to be refused | fail",
    "llhttp | ours.md:3 [request-lenient-all] a lenient mode | n/a",
    "llhttp | notes.txt | n/a",
    "made-up | made-up | n/a",
  ]);
});

test("a set that breaks is a failure, and keeps the cases before it", async () => {
  async function* broken(): AsyncGenerator<Case> {
    yield { id: "first", result: "pass", why: "" };
    throw new Error("bad data");
  }
  assert.deepEqual(await lines(replayFolder(testdata, ["made-up"], { "made-up": broken })), [
    "made-up | first | pass",
    "made-up | (the whole set) | fail",
    "made-up | cases.json | n/a",
  ]);
});

test("the go templates of the metric files", () => {
  const template =
    'a{{ .Vars.X }}\n{{- if eq .Vars.X "1" }}\none\n{{- else if .Vars.Y }}\ny\n{{- else }}\nnone\n{{- end }}\nz';
  assert.equal(fillGoTemplate(template, { "Vars.X": "1" }), "a1\none\nz");
  assert.equal(fillGoTemplate(template, { "Vars.Y": "2" }), "a\ny\nz");
  assert.equal(fillGoTemplate(template, {}), "a\nnone\nz");
});

test("what Go left in the validation cases is the manifest's again", () => {
  const literal = {
    metadata: { name: { $ref: "constants.DefaultAuthenticationPolicyName" } },
    probe: { healthCheckMethod: { exec: { command: ["a"] } } },
    value: { fields: { a: { kind: { structValue: { fields: { b: { kind: { stringValue: "c" } } } } } } } },
  };
  assert.deepEqual(decodeGoLiteral(literal), {
    value: { metadata: { name: "default" }, probe: { exec: { command: ["a"] } }, value: { a: { b: "c" } } },
  });
  assert.ok("missing" in decodeGoLiteral({ name: { $ref: "other.Constant" } }));
});
