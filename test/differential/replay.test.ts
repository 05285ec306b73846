/** What real Envoy and ours agreed on, replayed against ours alone: `npm run differential -- --record` writes the expectations. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../conformance/repository-root.ts";
import { ALL_CASES } from "./cases/all.ts";
import { type Expectation, expectationOf } from "./expectation.ts";
import { ownCommand, startUnderTest } from "./proxies.ts";
import { playAll } from "./run.ts";

const LANES = 12;
const recorded: Readonly<Record<string, Expectation>> = JSON.parse(
  readFileSync(join(repositoryRoot, "test/differential/expected.json"), "utf8"),
);

test("case names are unique, and each has its expectation", () => {
  const names = ALL_CASES.map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
  assert.deepEqual(
    names.filter((name) => recorded[name] === undefined),
    [],
  );
});

test("every exchange ends as it did beside Envoy", async (t) => {
  assert.ok(existsSync(join(repositoryRoot, "dist/proxy.cjs")), "dist/proxy.cjs is built by npm test");
  const own = await startUnderTest("argyle", ownCommand(repositoryRoot), LANES);
  t.after(() => own.close());
  const differing = new Map<string, string>();
  await playAll(ALL_CASES, own, (one, outcome) => {
    const [gist, digest] = expectationOf(outcome);
    const [wantGist, wantDigest] = recorded[one.name] ?? ["", ""];
    if (digest === wantDigest) differing.delete(one.name);
    else
      differing.set(
        one.name,
        gist === wantGist ? `${gist} (in its headers, bodies or log line)` : `${gist}; was: ${wantGist}`,
      );
    return digest === wantDigest;
  });
  assert.equal(own.crash(), undefined);
  assert.deepEqual(Object.fromEntries(differing), {});
});
