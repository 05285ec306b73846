import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { PODS, type Scope, startHarness } from "./harness.ts";

const IMAGES = [{ id: "proxyv2", names: ["istio/proxyv2"], directory: "images/proxyv2", runtime: "proxy" as const }];
const SH = { image: "host", command: ["/bin/sh", "-c", "exec sleep 100"] };
const PROXY = {
  name: "istio-proxy",
  image: "docker.io/istio/proxyv2:1.28.0",
  args: ["proxy", "sidecar"],
  env: [{ name: "X", value: "1" }],
};

/** Plays the worker: answers the order with a state, and serves 15021. */
async function host(t: Scope, runDir: string, pid: number) {
  const dir = join(runDir, "workers/sidecars");
  const write = (state: string, as = pid) =>
    writeFileSync(join(dir, "10.244.0.2.state"), JSON.stringify({ pid: as, state, since: as }));
  let isReady = false;
  const health = createServer((_request, response) => {
    response.statusCode = isReady ? 200 : 503;
    response.end();
  });
  t.after(() => void health.close());
  return {
    order: join(dir, "10.244.0.2.json"),
    write,
    remove: () => rmSync(join(dir, "10.244.0.2.state")),
    listen: () => new Promise<void>((resolve) => health.listen(join(runDir, "10.244.0.2/15021.sock"), resolve)),
    beReady: () => {
      isReady = true;
    },
  };
}

test("orders a proxy, holds the app until it is ready, counts a new worker as a restart, and drains it", async (t) => {
  const h = await startHarness(t, IMAGES);
  await h.start();
  const worker = await host(t, h.runDir, process.pid);
  h.apply({ containers: [{ ...SH, name: "app" }, PROXY] });
  const order = await eventually("the order", () => JSON.parse(readFileSync(worker.order, "utf8")));
  assert.equal(order.podIP, "10.244.0.2");
  assert.equal(order.containerName, "istio-proxy");
  assert.deepEqual(order.args, ["proxy", "sidecar"]);
  assert.equal(order.env.X, "1");
  assert.ok(existsSync(order.log));
  await worker.listen();
  worker.write("running");
  const container = (name: string) => h.pod()?.status?.containerStatuses?.find((c) => c.name === name);
  await eventually("the proxy runs", () => assert.ok(container("istio-proxy")?.state?.running !== undefined));
  assert.equal(container("istio-proxy")?.ready, false);
  assert.ok(container("app")?.state?.waiting !== undefined);
  worker.beReady();
  await eventually("the app is ready", () => assert.equal(container("app")?.ready, true));

  worker.write("running", 1);
  await eventually("a restart", () => assert.equal(container("istio-proxy")?.restartCount, 1));
  await eventually("running again", () => assert.equal(container("istio-proxy")?.ready, true));
  assert.equal(container("app")?.restartCount, 0);

  await h.api.delete(PODS, { namespace: "ns", name: "p" }, { gracePeriodSeconds: 20 });
  await eventually("the order is withdrawn", () => assert.ok(!existsSync(worker.order)));
  assert.ok(h.pod() !== undefined, "the pod stays while the proxy drains");
  worker.remove();
  await eventually("gone", () => assert.equal(h.pod(), undefined));
});

test("removes a pod whose proxy was never taken up", async (t) => {
  const h = await startHarness(t, IMAGES);
  await h.start();
  h.apply({ containers: [PROXY] });
  await eventually("ordered", () => assert.ok(existsSync(join(h.runDir, "workers/sidecars/10.244.0.2.json"))));
  await h.api.delete(PODS, { namespace: "ns", name: "p" }, { gracePeriodSeconds: 20 });
  await eventually("gone", () => assert.equal(h.pod(), undefined));
});

test("istio-init has nothing to do", async (t) => {
  const h = await startHarness(t, IMAGES);
  await h.start();
  const init = { ...PROXY, name: "istio-init", args: ["istio-iptables", "-p", "15001"] };
  h.apply({
    restartPolicy: "Never",
    initContainers: [init],
    containers: [{ ...SH, name: "a", command: ["/bin/true"] }],
  });
  await eventually("done", () => assert.equal(h.pod()?.status?.phase, "Succeeded"));
});
