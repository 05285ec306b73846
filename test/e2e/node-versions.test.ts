/** The product on the other Node.js versions that it promises (engines: 20.19 and newer); the capture suite too, since the preload uses private names of Node. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { get } from "../http.ts";
import { CLI, createLoneInstance, QUIET } from "../lone-instance.ts";
import { ROOT, run } from "../mini-cluster.ts";

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "argyle/node");
const FETCH = "node scripts/fetch-node.mjs 22 24";

for (const version of ["v22", "v24"]) {
  const node = join(CACHE, version, "node");
  const skip = existsSync(node) ? false : `Node.js ${version} is not in the cache: ${FETCH}`;

  test(`Node.js ${version}: the shop answers, and nothing is left`, { skip }, async (t) => {
    const instance = createLoneInstance(t, { env: { PATH: `${dirname(node)}:${process.env.PATH}` } });
    const argyle = (...args: string[]) => run(node, [CLI, ...args], { env: instance.env });
    const demo = QUIET.map((flag) => (flag === "none" ? "sock-shop" : flag));
    const up = await argyle("up", "-d", ...demo);
    assert.equal(up.code, 0, up.stderr);
    const { gatewayPort } = JSON.parse(readFileSync(join(instance.stateDir, "instance.json"), "utf8")) as {
      gatewayPort: number;
    };
    await eventually("the catalogue answers", async () => {
      const { status, body } = await get(`http://127.0.0.1:${gatewayPort}/catalogue`);
      assert.equal(status, 200);
      assert.equal((JSON.parse(body) as unknown[]).length, 10);
    });
    const status = JSON.parse((await argyle("status", "-o", "json")).stdout) as { processes: { pid: number }[] };
    const programs = status.processes.map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0]);
    assert.ok(programs.filter((program) => program === node).length >= 15, programs.join(" "));
    assert.equal((await argyle("down")).code, 0);
    await instance.assertNothingLeft();
  });

  test(`Node.js ${version}: every kind of client is captured`, { skip }, async () => {
    // node:test would take the runner for one of its own files.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const outcome = await run(node, [join(ROOT, "scripts/test.mjs"), "packages/pod-network/test/capture"], { env });
    assert.equal(outcome.code, 0, outcome.stdout);
    assert.match(outcome.stdout, /[1-9]\d* passed, 0 failed/);
  });
}
