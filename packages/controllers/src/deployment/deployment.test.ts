import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deployment, REVISION_ANNOTATION, type ReplicaSet } from "@argyle/kube-types";
import { addNode, converge, deployment, type Harness, startAll } from "../../test/harness.ts";
import { KINDS } from "../controller.ts";

const ref = (name: string) => ({ namespace: "shop", name });

async function setUp(t: Parameters<typeof startAll>[0]) {
  const harness = await startAll(t);
  await addNode(harness);
  return harness;
}

function find(harness: Harness, name: string): Deployment {
  const found = harness.api.all<Deployment>(KINDS.deployment).find((d) => d.metadata.name === name);
  assert.ok(found);
  return found;
}

function replicaSets(harness: Harness): readonly string[] {
  return harness.api
    .all<ReplicaSet>(KINDS.replicaSet)
    .map(
      (rs) =>
        `r${rs.metadata.annotations?.[REVISION_ANNOTATION]} ${rs.spec.template?.spec.containers[0]?.image} x${rs.spec.replicas}`,
    )
    .sort();
}

function condition(harness: Harness, name: string, type: string): string {
  const found = find(harness, name).status?.conditions?.find((c) => c.type === type);
  return `${found?.status} ${found?.reason}`;
}

function setImage(harness: Harness, name: string, image: string) {
  const template = { spec: { containers: [{ name: "app", image }] } };
  return harness.api.client.patch(KINDS.deployment, ref(name), "merge", { spec: { template } });
}

test("rolls out, and says so as kubectl rollout status reads it", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await harness.run();
  assert.equal(condition(harness, "web", "Available"), "False MinimumReplicasUnavailable");
  await converge(harness);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x2"]);
  const { status, metadata } = find(harness, "web");
  const { conditions: _conditions, ...counts } = status ?? {};
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    unavailableReplicas: 0,
  });
  assert.equal(metadata.annotations?.[REVISION_ANNOTATION], "1");
  assert.equal(condition(harness, "web", "Available"), "True MinimumReplicasAvailable");
  assert.equal(condition(harness, "web", "Progressing"), "True NewReplicaSetAvailable");
  const [replicaSet] = harness.api.all<ReplicaSet>(KINDS.replicaSet);
  const hash = replicaSet?.metadata.labels?.["pod-template-hash"];
  assert.equal(replicaSet?.metadata.name, `web-${hash}`);
  assert.ok(harness.pods().every((pod) => pod.metadata.labels?.["pod-template-hash"] === hash));
});

test("comes to rest: nothing is written when nothing changes", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  const before = harness.api.calls.length;
  await harness.run(20_000);
  assert.deepEqual(
    harness.api.calls.slice(before).map((call) => `${call.verb} ${call.resource.plural}`),
    [],
  );
});

test("a new template rolls over without losing availability, and undo brings the old ReplicaSet a new revision", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web", { replicas: 3 }));
  await converge(harness);
  let lowest = 3;
  await setImage(harness, "web", "app:2");
  for (let i = 0; i < 10; i++) {
    await converge(harness);
    lowest = Math.min(lowest, find(harness, "web").status?.availableReplicas ?? 0);
  }
  assert.ok(lowest >= 3, `fell to ${lowest}`);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x0", "r2 app:2 x3"]);
  await setImage(harness, "web", "app:1");
  await converge(harness);
  await converge(harness);
  assert.deepEqual(replicaSets(harness), ["r2 app:2 x0", "r3 app:1 x3"]);
  assert.equal(find(harness, "web").metadata.annotations?.[REVISION_ANNOTATION], "3");
  assert.equal(harness.pods().length, 3);
});

test("a template that never becomes ready stops at the surge and passes its deadline", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web", { replicas: 4, progressDeadlineSeconds: 30 }));
  await converge(harness);
  await setImage(harness, "web", "app:broken");
  const isHealthy = (pod: { spec: { containers: readonly { image?: string }[] } }) =>
    pod.spec.containers[0]?.image !== "app:broken";
  await converge(harness, isHealthy);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x3", "r2 app:broken x2"]);
  assert.equal(condition(harness, "web", "Progressing"), "True ReplicaSetUpdated");
  await harness.run(35_000);
  assert.equal(condition(harness, "web", "Progressing"), "False ProgressDeadlineExceeded");
  assert.equal(condition(harness, "web", "Available"), "True MinimumReplicasAvailable");
});

test("Recreate starts the new pods after the last old one has gone", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("db", { strategy: { type: "Recreate" } }));
  await converge(harness);
  await setImage(harness, "db", "app:2");
  await harness.run(2000);
  assert.ok(
    harness.pods().every((pod) => pod.metadata.deletionTimestamp !== undefined),
    "old pods are ending",
  );
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x0"]);
  await converge(harness);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x0", "r2 app:2 x2"]);
});

test("paused: scales, but does not roll; resumed: rolls", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  await harness.api.client.patch(KINDS.deployment, ref("web"), "merge", { spec: { paused: true, replicas: 3 } });
  await setImage(harness, "web", "app:2");
  await converge(harness);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x3"]);
  assert.equal(condition(harness, "web", "Progressing"), "Unknown DeploymentPaused");
  await harness.api.client.patch(KINDS.deployment, ref("web"), "merge", { spec: { paused: false } });
  await converge(harness);
  await converge(harness);
  assert.deepEqual(replicaSets(harness), ["r1 app:1 x0", "r2 app:2 x3"]);
  assert.equal(condition(harness, "web", "Progressing"), "True NewReplicaSetAvailable");
});

test("scales down to zero and up again", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  for (const replicas of [0, 5]) {
    await harness.api.client.patch(KINDS.deployment, ref("web"), "merge", { spec: { replicas } });
    await converge(harness);
    assert.equal(harness.pods().length, replicas);
    assert.equal(find(harness, "web").status?.availableReplicas, replicas);
  }
});

test("keeps as many old ReplicaSets as the history limit says", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web", { replicas: 1, revisionHistoryLimit: 1 }));
  for (const image of ["app:1", "app:2", "app:3", "app:4"]) {
    await setImage(harness, "web", image);
    await converge(harness);
  }
  assert.deepEqual(replicaSets(harness), ["r3 app:3 x0", "r4 app:4 x1"]);
});

test("minReadySeconds delays availability", async (t) => {
  const harness = await setUp(t);
  await harness.api.client.create(KINDS.deployment, deployment("web", { minReadySeconds: 60 }));
  await converge(harness);
  assert.equal(find(harness, "web").status?.readyReplicas, 2);
  assert.equal(find(harness, "web").status?.availableReplicas, 0);
  await harness.run(61_000);
  assert.equal(find(harness, "web").status?.availableReplicas, 2);
});

test("front-end and front-end-v2 share the label name and never steal each other's pods", async (t) => {
  const harness = await setUp(t);
  const { client } = harness.api;
  await client.create(KINDS.deployment, deployment("front-end", { replicas: 2 }, { name: "front-end" }));
  const v2 = deployment("front-end-v2", { replicas: 3 }, { name: "front-end" });
  await client.create(KINDS.deployment, v2);
  await converge(harness);
  const owners = () => {
    const count: Record<string, number> = {};
    for (const pod of harness.pods()) {
      const owner = (pod.metadata.ownerReferences?.[0]?.name ?? "none").replace(/-[a-z0-9]+$/, "");
      count[owner] = (count[owner] ?? 0) + 1;
    }
    return count;
  };
  assert.deepEqual(owners(), { "front-end": 2, "front-end-v2": 3 });
  await setImage(harness, "front-end-v2", "app:2");
  await converge(harness);
  await client.patch(KINDS.deployment, ref("front-end"), "merge", { spec: { replicas: 1 } });
  await converge(harness);
  assert.deepEqual(owners(), { "front-end": 1, "front-end-v2": 3 });
  await client.delete(KINDS.deployment, ref("front-end-v2"));
  await converge(harness);
  assert.deepEqual(owners(), { "front-end": 1 });
});
