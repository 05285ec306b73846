import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap, KubeObject, Namespace, Node, Pod, Service } from "@argyle/kube-types";
import { addNode, converge, deployment, startAll } from "../test/harness.ts";
import { KINDS } from "./controller.ts";
import { abandonedPods } from "./pod-gc.ts";
import { refusalOf } from "./scheduler.ts";

const barePod = (name: string, spec: Partial<Pod["spec"]> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop" },
  spec: { containers: [], ...spec },
});

test("deleting a Deployment takes its ReplicaSets and pods with it, in the background", async (t) => {
  const harness = await startAll(t);
  await addNode(harness);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  await harness.api.client.delete(
    KINDS.deployment,
    { namespace: "shop", name: "web" },
    { propagationPolicy: "Background" },
  );
  await converge(harness);
  assert.deepEqual([harness.names(KINDS.deployment), harness.names(KINDS.replicaSet), harness.pods()], [[], [], []]);
});

test("in the foreground the Deployment goes last", async (t) => {
  const harness = await startAll(t);
  await addNode(harness);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  await harness.api.client.delete(
    KINDS.deployment,
    { namespace: "shop", name: "web" },
    { propagationPolicy: "Foreground" },
  );
  await harness.run();
  assert.deepEqual(harness.names(KINDS.deployment), ["web"]);
  assert.ok(harness.pods().every((pod) => pod.metadata.deletionTimestamp !== undefined));
  await converge(harness);
  assert.deepEqual([harness.names(KINDS.deployment), harness.names(KINDS.replicaSet), harness.pods()], [[], [], []]);
});

test("orphaned dependents stay and lose their reference", async (t) => {
  const harness = await startAll(t);
  await addNode(harness);
  await harness.api.client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  await harness.api.client.delete(
    KINDS.deployment,
    { namespace: "shop", name: "web" },
    { propagationPolicy: "Orphan" },
  );
  await converge(harness);
  assert.deepEqual(harness.names(KINDS.deployment), []);
  const [replicaSet] = harness.api.all<KubeObject>(KINDS.replicaSet);
  assert.deepEqual(replicaSet?.metadata.ownerReferences ?? [], []);
  assert.equal(harness.pods().length, 2);
});

test("an object with one owner left is kept and only forgets the other", async (t) => {
  const harness = await startAll(t);
  const { client } = harness.api;
  const owner = await client.create<ConfigMap>(KINDS.configMap, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "owner", namespace: "shop" },
  });
  const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid ?? "" };
  const gone = { ...reference, name: "gone", uid: "gone" };
  const child = (name: string, ownerReferences: (typeof reference)[]) =>
    client.create(KINDS.configMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: "shop", ownerReferences },
    });
  await child("kept", [reference, gone]);
  await child("lost", [gone]);
  await child("impostor", [{ ...reference, uid: "an-earlier-object-of-that-name" }]);
  await child("unknown-kind", [{ ...gone, kind: "Widget", apiVersion: "example.org/v1" }]);
  await harness.run();
  assert.deepEqual(harness.names(KINDS.configMap), ["kept", "owner", "unknown-kind"]);
  const kept = harness.api.all<KubeObject>(KINDS.configMap).find((object) => object.metadata.name === "kept");
  assert.deepEqual(
    kept?.metadata.ownerReferences?.map((r) => r.name),
    ["owner"],
  );
});

test("a namespace gets its account and CA, and takes everything with it", async (t) => {
  const harness = await startAll(t);
  await addNode(harness);
  const { client } = harness.api;
  const namespace: Namespace = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop" },
    spec: { finalizers: ["kubernetes"] },
  };
  await client.create(KINDS.namespace, namespace);
  await client.create(KINDS.deployment, deployment("web"));
  await converge(harness);
  assert.deepEqual(harness.names(KINDS.serviceAccount), ["default"]);
  assert.equal(harness.api.all<ConfigMap>(KINDS.configMap)[0]?.data?.["ca.crt"], "CA");
  await client.delete(KINDS.configMap, { namespace: "shop", name: "kube-root-ca.crt" });
  await harness.run();
  assert.deepEqual(harness.names(KINDS.configMap), ["kube-root-ca.crt"]);
  await client.delete(KINDS.namespace, { name: "shop" });
  await harness.run();
  assert.equal(harness.api.all<Namespace>(KINDS.namespace)[0]?.status?.phase, "Terminating");
  await converge(harness);
  const left = [KINDS.namespace, KINDS.deployment, KINDS.replicaSet, KINDS.pod, KINDS.configMap, KINDS.serviceAccount];
  assert.deepEqual(left.flatMap(harness.names), []);
});

test("a LoadBalancer Service is at 127.0.0.1, and no longer when its type changes", async (t) => {
  const harness = await startAll(t);
  const { client } = harness.api;
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "gw", namespace: "shop" },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
  };
  await client.create(KINDS.service, service);
  await harness.run();
  const ingress = () => harness.api.all<Service>(KINDS.service)[0]?.status?.loadBalancer?.ingress;
  assert.equal(ingress()?.[0]?.ip, "127.0.0.1");
  await client.patch(KINDS.service, { namespace: "shop", name: "gw" }, "merge", { spec: { type: "ClusterIP" } });
  await harness.run();
  assert.equal(ingress(), undefined);
});

test("binds a pod when a node is there, and says why not before", async (t) => {
  const harness = await startAll(t);
  await harness.api.client.create(KINDS.pod, barePod("p"));
  await harness.api.client.create(KINDS.pod, barePod("other", { schedulerName: "mine" }));
  await harness.run();
  assert.deepEqual(harness.events("FailedScheduling"), ["0/0 nodes are available."]);
  await addNode(harness, { unschedulable: true });
  await harness.run();
  assert.equal(harness.events("FailedScheduling").at(-1), "0/1 nodes are available: 1 node(s) were unschedulable.");
  await harness.api.client.patch(KINDS.node, { name: "argyle" }, "merge", { spec: { unschedulable: null } });
  await harness.run();
  assert.deepEqual(
    harness.pods().map((pod) => [pod.metadata.name, pod.spec.nodeName]),
    [
      ["p", "argyle"],
      ["other", undefined],
    ],
  );
  assert.deepEqual(harness.events("Scheduled"), ["Successfully assigned shop/p to argyle"]);
});

const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "n", labels: { disk: "ssd" } } };
const tainted: Node = { ...node, spec: { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] } };
const refusals = [
  { name: "no demands", pod: barePod("p"), node, want: undefined },
  { name: "a matching selector", pod: barePod("p", { nodeSelector: { disk: "ssd" } }), node, want: undefined },
  { name: "another selector", pod: barePod("p", { nodeSelector: { disk: "hdd" } }), node, want: /affinity\/selector/ },
  { name: "a taint", pod: barePod("p"), node: tainted, want: /untolerated taint \{dedicated: db\}/ },
  {
    name: "a tolerated taint",
    pod: barePod("p", { tolerations: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] }),
    node: tainted,
    want: undefined,
  },
  {
    name: "toleration of everything",
    pod: barePod("p", { tolerations: [{ operator: "Exists" }] }),
    node: tainted,
    want: undefined,
  },
];
for (const c of refusals) {
  test(`scheduling with ${c.name}`, () => {
    const refusal = refusalOf(c.pod, c.node);
    if (c.want === undefined) assert.equal(refusal, undefined);
    else assert.match(refusal ?? "", c.want);
  });
}

test("pods of a node that is gone are abandoned, but not while there is no node at all", () => {
  const pods = [barePod("a", { nodeName: "gone" }), barePod("b", { nodeName: "n" }), barePod("c")];
  const names = (nodes: readonly string[]) => abandonedPods(pods, new Set(nodes)).map((pod) => pod.metadata.name);
  assert.deepEqual(names(["n"]), ["a"]);
  assert.deepEqual(names([]), []);
});
