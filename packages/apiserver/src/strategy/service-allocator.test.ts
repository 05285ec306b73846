import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { createFakeClock, type TestScope, tempDir } from "@argyle/testkit";
import { cloneJson, type JsonObject } from "../json.ts";
import { openStore } from "../storage.ts";
import { createServiceAllocator } from "./service-allocator.ts";

const SERVICES = resourceOf("Service");

function setUp(t: TestScope) {
  const store = openStore({ dir: tempDir(t), clock: createFakeClock(), log: silentLogger });
  t.after(() => store.close());
  const allocator = createServiceAllocator(store);
  const make = (name: string, spec: JsonObject, current?: KubeObject) => {
    const metadata = { name, namespace: "default" };
    const service = cloneJson({ apiVersion: "v1", kind: "Service", metadata, spec });
    const problems = allocator.allocate(service, current);
    if (problems.length === 0) store.put(SERVICES, service, "any");
    return { spec: service.spec, problems, stored: store.get(SERVICES, "default", name) };
  };
  return { make };
}

test("gives each Service the next address and fills in target ports", (t) => {
  const { make } = setUp(t);
  assert.deepEqual(make("a", { ports: [{ port: 80 }] }).spec, {
    ports: [{ port: 80, targetPort: 80 }],
    clusterIP: "10.96.0.2",
    clusterIPs: ["10.96.0.2"],
  });
  assert.equal(make("b", { ports: [{ port: 80, targetPort: "web" }] }).spec.clusterIP, "10.96.0.3");
});

test("keeps the address on update and refuses another", (t) => {
  const { make } = setUp(t);
  const { stored } = make("a", { ports: [{ port: 80 }] });
  assert.equal(make("a", { ports: [{ port: 81 }] }, stored).spec.clusterIP, "10.96.0.2");
  assert.match(make("a", { clusterIP: "10.96.0.9" }, stored).problems[0]?.message ?? "", /may not change once set/);
});

const refusals = [
  {
    name: "an address of another Service",
    spec: { clusterIP: "10.96.0.2" },
    message: /already allocated \(by default\/a\)/,
  },
  { name: "the address of default/kubernetes", spec: { clusterIP: "10.96.0.1" }, message: /default\/kubernetes/ },
  { name: "an address out of the range", spec: { clusterIP: "10.1.2.3" }, message: /10\.96\.0\.0\/12/ },
  {
    name: "a node port of another Service",
    spec: { type: "NodePort", ports: [{ port: 1, nodePort: 30_080 }] },
    message: /provided port is already allocated \(by default\/a\)/,
  },
  {
    name: "a node port out of the range",
    spec: { type: "NodePort", ports: [{ port: 1, nodePort: 80 }] },
    message: /30000-32767/,
  },
  {
    name: "a node port for type ClusterIP",
    spec: { type: "ClusterIP", ports: [{ port: 1, nodePort: 30_081 }] },
    message: /may not be used/,
  },
];
for (const c of refusals) {
  test(`refuses ${c.name}`, (t) => {
    const { make } = setUp(t);
    assert.deepEqual(make("a", { type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] }).problems, []);
    assert.match(make("b", c.spec).problems[0]?.message ?? "accepted", c.message);
  });
}

test("headless and ExternalName Services get no address", (t) => {
  const { make } = setUp(t);
  assert.equal(make("a", { clusterIP: "None", ports: [{ port: 80 }] }).spec.clusterIP, "None");
  assert.equal("clusterIP" in make("b", { type: "ExternalName", externalName: "x.y" }).spec, false);
});

test("node ports are kept on update, and go when the type does", (t) => {
  const { make } = setUp(t);
  const spec = {
    type: "LoadBalancer",
    ports: [
      { name: "a", port: 80 },
      { name: "b", port: 81 },
    ],
  };
  const first = make("a", spec);
  const ports = (service: JsonObject) => (service.ports as JsonObject[]).map((p) => p.nodePort);
  assert.deepEqual(ports(first.spec), [30_086, 30_087]);
  assert.deepEqual(ports(make("a", spec, first.stored).spec), [30_086, 30_087]);
  assert.deepEqual(ports(make("a", { ...spec, type: "ClusterIP" }, first.stored).spec), [undefined, undefined]);
});
