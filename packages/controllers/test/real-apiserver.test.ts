/** The controllers and kube-proxy's inputs against the project's own API server over HTTPS: what the in-memory API only imitates. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startApiServer } from "@argyle/apiserver";
import { silentLogger, systemClock } from "@argyle/core";
import { createInformer, createKubeClient, type KubeClient, loadKubeconfig } from "@argyle/kube-client";
import {
  type Deployment,
  type EndpointSlice,
  type KubeObject,
  type Namespace,
  type Pod,
  REVISION_ANNOTATION,
  type ReplicaSet,
  type Resource,
  resourceOf,
  type Service,
} from "@argyle/kube-types";
import { eventually, tempDir } from "@argyle/testkit";
import { startControllers } from "../src/all.ts";
import { KINDS } from "../src/controller.ts";
import { deployment } from "./harness.ts";

declare const __ARGYLE_ROOT__: string;
const schemas = join(__ARGYLE_ROOT__, "dist/assets/schemas.json");
const skip = existsSync(schemas) ? false : "dist/assets/schemas.json is not built: npm run build";

async function startCluster(t: TestContext): Promise<KubeClient> {
  const server = await startApiServer({
    stateDir: tempDir(t),
    host: "127.0.0.1",
    port: 0,
    assets: JSON.parse(readFileSync(schemas, "utf8")),
    clock: systemClock,
    log: silentLogger,
    dialService: () => Promise.reject(new Error("no webhooks in this test")),
  });
  const connection = loadKubeconfig(readFileSync(server.kubeconfigs.controllers, "utf8"));
  assert.ok(connection.ok);
  const client = createKubeClient({ ...connection.value, userAgent: "controllers" });
  const controllers = startControllers({
    client,
    clock: systemClock,
    log: silentLogger,
    random: Math.random,
    clusterCa: server.pki.caCertPem,
  });
  t.after(async () => {
    await controllers.close();
    client.close();
    await server.close();
  });
  await controllers.started;
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "argyle" } };
  await client.create(KINDS.node, node);
  const conditions = [{ type: "Ready", status: "True" }];
  await client.patch(KINDS.node, { name: "argyle" }, "merge", { status: { conditions } }, { subresource: "status" });
  await client.create(KINDS.namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  return client;
}

/** Runs and ends pods as the kubelet would, until the test is over. */
function playKubelet(t: TestContext, client: KubeClient): void {
  const pods = createInformer<Pod>({ client, resource: KINDS.pod, clock: systemClock, log: silentLogger });
  let ip = 1;
  const onPod = async (pod: Pod) => {
    const ref = { namespace: "shop", name: pod.metadata.name };
    if (pod.metadata.deletionTimestamp !== undefined) await client.delete(KINDS.pod, ref, { gracePeriodSeconds: 0 });
    else if (pod.spec.nodeName !== undefined && pod.status?.podIP === undefined) {
      const status = { phase: "Running", podIP: `10.244.0.${ip++}`, conditions: [{ type: "Ready", status: "True" }] };
      await client.patch(KINDS.pod, ref, "merge", { status }, { subresource: "status" });
    }
  };
  pods.onChange((change) => {
    // A pod that is gone in the meantime is what the test wants.
    if (change.type !== "DELETED") onPod(change.object).catch(() => undefined);
  });
  t.after(() => pods.close());
}

const names = async (client: KubeClient, resource: Resource) =>
  (await client.list<KubeObject>(resource, "shop")).items.map((object) => object.metadata.name);

test("a Deployment becomes ready pods, endpoints and a clean end on the real API server", { skip }, async (t) => {
  const client = await startCluster(t);
  playKubelet(t, client);
  const ref = { namespace: "shop", name: "web" };
  const ports = [{ port: 80, targetPort: 8080 }];
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: ref,
    spec: { type: "LoadBalancer", selector: { name: "web" }, ports },
  };
  await client.create(KINDS.service, service);
  await client.create(KINDS.deployment, deployment("web"));
  await eventually("rolled out", async () => {
    const { status } = await client.get<Deployment>(KINDS.deployment, ref);
    assert.equal(status?.availableReplicas, 2);
    assert.equal(status?.conditions?.find((c) => c.type === "Progressing")?.reason, "NewReplicaSetAvailable");
  });
  await eventually("endpoints", async () => {
    const { items } = await client.list<EndpointSlice>(KINDS.endpointSlice, "shop");
    assert.equal(items.flatMap((slice) => slice.endpoints).filter((e) => e.conditions?.ready === true).length, 2);
    const found = await client.get<Service>(KINDS.service, ref);
    assert.equal(found.status?.loadBalancer?.ingress?.[0]?.ip, "127.0.0.1");
  });

  const spec = { template: { spec: { containers: [{ name: "app", image: "app:2" }] } } };
  await client.patch(KINDS.deployment, ref, "merge", { spec });
  await eventually("the new revision", async () => {
    const { metadata, status } = await client.get<Deployment>(KINDS.deployment, ref);
    assert.deepEqual([metadata.annotations?.[REVISION_ANNOTATION], status?.updatedReplicas], ["2", 2]);
    const progress = status?.conditions?.find(({ type }) => type === "Progressing");
    assert.deepEqual([status?.replicas, status?.availableReplicas, progress?.reason], [2, 2, "NewReplicaSetAvailable"]);
    const pods = (await client.list<Pod>(KINDS.pod, "shop")).items;
    assert.deepEqual(
      pods.map((pod) => pod.spec.containers[0]?.image),
      ["app:2", "app:2"],
    );
    assert.equal((await client.list<ReplicaSet>(KINDS.replicaSet, "shop")).items.length, 2);
  });

  const before = await client.list(KINDS.deployment);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(
    (await client.list(KINDS.deployment)).metadata.resourceVersion,
    before.metadata.resourceVersion,
    "at rest",
  );

  await client.delete(KINDS.deployment, ref, { propagationPolicy: "Foreground" });
  await eventually("everything of it is gone", async () => {
    for (const resource of [KINDS.deployment, KINDS.replicaSet, KINDS.pod])
      assert.deepEqual(await names(client, resource), []);
  });
});

test("a namespace has its account and CA, and is deleted with all it holds", { skip }, async (t) => {
  const client = await startCluster(t);
  playKubelet(t, client);
  await eventually("what every namespace gets", async () => {
    assert.deepEqual(await names(client, KINDS.serviceAccount), ["default"]);
    assert.deepEqual(await names(client, KINDS.configMap), ["kube-root-ca.crt"]);
  });
  await client.create(KINDS.deployment, deployment("web"));
  await eventually("pods", async () => assert.equal((await names(client, KINDS.pod)).length, 2));
  await client.delete(KINDS.namespace, { name: "shop" });
  await eventually("gone", async () =>
    assert.equal(await client.find<Namespace>(KINDS.namespace, { name: "shop" }), undefined),
  );
  for (const kind of ["Deployment", "ReplicaSet", "Pod", "ConfigMap"])
    assert.deepEqual(await names(client, resourceOf(kind)), []);
});
