import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeError, statusOf } from "@argyle/kube-client";
import type { Pod, ReplicaSet } from "@argyle/kube-types";
import { setReady, startOne } from "../test/harness.ts";
import { KINDS } from "./controller.ts";
import { replicaSetController } from "./replica-set.ts";
import { planReplicaSet } from "./replica-set-plan.ts";

function replicaSet(name: string, replicas: number): ReplicaSet {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "a" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "x" } },
      template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  };
}

test("makes exactly as many pods as asked for, however late the watch is", async (t) => {
  const harness = await startOne(t, replicaSetController);
  await harness.api.client.create(KINDS.replicaSet, replicaSet("x", 7));
  for (let i = 0; i < 5; i++)
    await harness.api.client.patch(KINDS.replicaSet, { namespace: "a", name: "x" }, "merge", {
      metadata: { annotations: { touched: String(i) } },
    });
  await harness.run();
  assert.equal(harness.pods().length, 7);
  assert.equal(harness.events("SuccessfulCreate").length, 7);
});

test("a refused creation is an event and is retried every 50 ms to 2 s until it is allowed", async (t) => {
  const harness = await startOne(t, replicaSetController);
  const at: number[] = [];
  harness.api.intercept((call) => {
    if (call.verb !== "create" || call.resource !== KINDS.pod) return;
    at.push(harness.clock.monotonic());
    throw new KubeError(statusOf(500, "InternalError", "failed calling webhook: connection refused"), "POST pods");
  });
  await harness.api.client.create(KINDS.replicaSet, replicaSet("x", 3));
  for (let i = 0; i < 100; i++) await harness.run(100);
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  assert.ok((gaps[0] ?? 0) >= 50 && (gaps[0] ?? 0) <= 110, `first gap ${gaps[0]}`);
  assert.ok(gaps.every((gap) => gap <= 2100) && gaps.length >= 6, `gaps ${gaps}`);
  assert.match(harness.events("FailedCreate")[0] ?? "", /^Error creating: failed calling webhook/);
  const held = harness.api.all<ReplicaSet>(KINDS.replicaSet)[0]?.status;
  assert.equal(held?.conditions?.[0]?.reason, "FailedCreate");
  harness.api.intercept(undefined);
  await harness.run(2500);
  assert.equal(harness.pods().length, 3);
  assert.deepEqual(harness.api.all<ReplicaSet>(KINDS.replicaSet)[0]?.status?.conditions, []);
});

test("adopts matching orphans, leaves the pods of others alone, releases what no longer matches", async (t) => {
  const harness = await startOne(t, replicaSetController);
  const { client } = harness.api;
  const pod = (name: string, ownerUid?: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "a",
      labels: { app: "x" },
      ...(ownerUid === undefined
        ? {}
        : {
            ownerReferences: [
              { apiVersion: "apps/v1", kind: "ReplicaSet", name: "y", uid: ownerUid, controller: true },
            ],
          }),
    },
    spec: { containers: [] },
  });
  await client.create(KINDS.pod, pod("orphan"));
  await client.create(KINDS.pod, pod("foreign", "uid-of-another"));
  await client.create(KINDS.replicaSet, replicaSet("x", 2));
  await harness.run();
  const ownerOf = (name: string) =>
    harness.pods().find((p) => p.metadata.name === name)?.metadata.ownerReferences?.[0]?.name;
  assert.equal(ownerOf("orphan"), "x");
  assert.equal(ownerOf("foreign"), "y");
  assert.equal(harness.pods().length, 3);
  await client.patch(KINDS.pod, { namespace: "a", name: "orphan" }, "merge", {
    metadata: { labels: { app: "debug" } },
  });
  await harness.run();
  assert.equal(ownerOf("orphan"), undefined);
  assert.equal(harness.pods().filter((p) => p.metadata.ownerReferences?.[0]?.name === "x").length, 2);
});

test("counts ready pods", async (t) => {
  const harness = await startOne(t, replicaSetController);
  await harness.api.client.create(KINDS.replicaSet, replicaSet("x", 2));
  await harness.run();
  const [first] = harness.pods();
  assert.ok(first);
  await setReady(harness, first, true);
  await harness.run();
  const status = harness.api.all<ReplicaSet>(KINDS.replicaSet)[0]?.status;
  assert.deepEqual([status?.replicas, status?.readyReplicas, status?.availableReplicas], [2, 1, 1]);
});

function podInState(
  name: string,
  more: { phase?: "Pending" | "Running"; ready?: boolean; cost?: string; created?: string },
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      creationTimestamp: more.created ?? "2024-01-01T00:00:00Z",
      ...(more.cost === undefined ? {} : { annotations: { "controller.kubernetes.io/pod-deletion-cost": more.cost } }),
    },
    spec: { containers: [], nodeName: "n" },
    status: {
      phase: more.phase ?? "Running",
      conditions: [{ type: "Ready", status: more.ready === false ? "False" : "True" }],
    },
  };
}

const order = [
  { name: "pending before running", pods: [podInState("a", {}), podInState("b", { phase: "Pending", ready: false })] },
  { name: "unready before ready", pods: [podInState("a", {}), podInState("b", { ready: false })] },
  { name: "lower deletion cost first", pods: [podInState("a", {}), podInState("b", { cost: "-5" })] },
  { name: "newer before older", pods: [podInState("a", {}), podInState("b", { created: "2024-01-02T00:00:00Z" })] },
];
for (const c of order) {
  test(`removes ${c.name}`, () => {
    const plan = planReplicaSet(replicaSet("x", 1), c.pods, 0);
    assert.deepEqual(
      plan.remove.map((pod) => pod.metadata.name),
      ["b"],
    );
  });
}
