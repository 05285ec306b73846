/** What the death of each process means (the table in ARCHITECTURE.md), with kill -9 during traffic. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { get, keepRequesting } from "../http.ts";
import { type MiniCluster, processesOf, startMiniCluster } from "../mini-cluster.ts";

describe("survival", () => {
  let cluster: MiniCluster;
  const cleanups: (() => Promise<void> | void)[] = [];
  before(async () => {
    cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "sock-shop" });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const podUids = async () => {
    const { stdout, code, stderr } = await cluster.argyle("status", "-o", "json");
    assert.equal(code, 0, stderr);
    const { processes } = JSON.parse(stdout) as { processes: readonly { name: string; pid: number }[] };
    return Object.fromEntries(processes.filter((p) => p.name.startsWith("sock-shop/")).map((p) => [p.name, p.pid]));
  };

  test("the cluster process dies: no request fails, and it adopts every pod", async () => {
    const pods = await podUids();
    assert.ok(Object.keys(pods).length >= 3);
    const traffic = keepRequesting(`${cluster.gateway}/catalogue`);
    const old = await cluster.pidOf("cluster");
    process.kill(old, "SIGKILL");
    await eventually(
      "it is back with another pid",
      async () => assert.notEqual(await cluster.pidOf("cluster"), old),
      10_000,
    );
    await eventually("the API answers with the same pods", async () => assert.deepEqual(await podUids(), pods), 10_000);
    const { sent, failures } = await traffic.stop();
    assert.ok(sent > 10);
    assert.deepEqual(failures, []);
  });

  test("istiod dies: no request fails, and a change after its return is in force", async () => {
    const traffic = keepRequesting(`${cluster.gateway}/catalogue`);
    const old = await cluster.pidOf("istio-system/istiod/discovery");
    process.kill(old, "SIGKILL");
    await eventually(
      "it is back",
      async () => assert.notEqual(await cluster.pidOf("istio-system/istiod/discovery"), old),
      20_000,
    );
    await eventually(
      "every proxy is connected again",
      async () => {
        const { stdout, code } = await cluster.argyle("proxy-status");
        assert.equal(code, 0);
        assert.ok(stdout.split("\n").length > 4, stdout);
      },
      20_000,
    );
    const { sent, failures } = await traffic.stop();
    assert.ok(sent > 10);
    assert.deepEqual(failures, []);
  });

  test("the worker of the sidecars dies: it is back with its configuration, and restarts are counted", async () => {
    const old = await cluster.pidOf("worker-sidecars");
    process.kill(old, "SIGKILL");
    await eventually("it is back", async () => assert.notEqual(await cluster.pidOf("worker-sidecars"), old), 10_000);
    await eventually(
      "requests are served again",
      async () => assert.equal((await get(`${cluster.gateway}/catalogue`)).status, 200),
      10_000,
    );
  });

  test("the supervisor dies: nothing is left", async () => {
    process.kill(cluster.supervisorPid(), "SIGKILL");
    await eventually("no process is left", () => assert.deepEqual(processesOf(cluster.stateDir), []), 10_000);
  });
});
