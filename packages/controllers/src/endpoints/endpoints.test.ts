import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Endpoints, Pod, Service, ServiceSpec } from "@argyle/kube-types";
import { type Harness, setReady, startAll } from "../../test/harness.ts";
import { KINDS } from "../controller.ts";
import { buildGroups, buildSubsets } from "./build.ts";

function service(spec: Partial<ServiceSpec> = {}): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "a", uid: "svc" },
    spec: {
      clusterIP: "10.96.0.9",
      selector: { app: "web" },
      ports: [{ name: "http", port: 80, targetPort: 8080 }],
      ...spec,
    },
  };
}

interface PodShape {
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly portNumber?: number;
  readonly phase?: "Running" | "Succeeded";
  readonly ip?: string;
  readonly hostname?: string;
}

function pod(name: string, shape: PodShape = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "a",
      uid: `uid-${name}`,
      labels: { app: "web" },
      ...(shape.deleting === true ? { deletionTimestamp: "2024-01-01T00:00:00Z" } : {}),
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: shape.portNumber ?? 8079 }] }],
      ...(shape.hostname === undefined ? {} : { hostname: shape.hostname, subdomain: "web" }),
    },
    status: {
      phase: shape.phase ?? "Running",
      podIP: shape.ip ?? "10.244.0.5",
      conditions: [{ type: "Ready", status: shape.ready === false ? "False" : "True" }],
    },
  };
}

const conditionCases = [
  { name: "a ready pod", shape: {}, spec: {}, want: { ready: true, serving: true, terminating: false } },
  {
    name: "an unready pod",
    shape: { ready: false },
    spec: {},
    want: { ready: false, serving: false, terminating: false },
  },
  {
    name: "a terminating pod",
    shape: { deleting: true },
    spec: {},
    want: { ready: false, serving: true, terminating: true },
  },
  {
    name: "an unready pod of a Service that publishes it",
    shape: { ready: false },
    spec: { publishNotReadyAddresses: true },
    want: { ready: true, serving: false, terminating: false },
  },
];
for (const c of conditionCases) {
  test(`conditions of ${c.name}`, () => {
    const [group] = buildGroups(service(c.spec), [pod("p", c.shape)]);
    assert.deepEqual(group?.endpoints[0]?.conditions, c.want);
    assert.deepEqual(group?.endpoints[0]?.targetRef, { kind: "Pod", name: "p", namespace: "a", uid: "uid-p" });
    assert.equal(group?.endpoints[0]?.nodeName, "n1");
  });
}

test("a named target port follows each pod's own number", () => {
  const named = service({ ports: [{ name: "http", port: 80, targetPort: "web" }] });
  const groups = buildGroups(named, [pod("a"), pod("b", { portNumber: 9000, ip: "10.244.0.6" })]);
  assert.deepEqual(
    groups.map((group) => [group.ports[0]?.port, group.endpoints[0]?.addresses[0]]),
    [
      [8079, "10.244.0.5"],
      [9000, "10.244.0.6"],
    ],
  );
  assert.deepEqual(buildGroups(service({ ports: [{ port: 80, targetPort: "none" }] }), [pod("a")])[0]?.ports, []);
});

test("leaves out finished pods and pods without an address", () => {
  assert.deepEqual(buildGroups(service(), [pod("a", { phase: "Succeeded" }), pod("b", { ip: "" })]), []);
});

test("a pod with hostname and subdomain keeps its name", () => {
  assert.equal(buildGroups(service(), [pod("a", { hostname: "a" })])[0]?.endpoints[0]?.hostname, "a");
});

test("Endpoints part ready and unready addresses and forget terminating ones", () => {
  const pods = [pod("a"), pod("b", { ready: false, ip: "10.244.0.6" }), pod("c", { deleting: true, ip: "10.244.0.7" })];
  const [subset] = buildSubsets(buildGroups(service(), pods));
  assert.deepEqual(
    [subset?.addresses?.map((a) => a.ip), subset?.notReadyAddresses?.map((a) => a.ip)],
    [["10.244.0.5"], ["10.244.0.6"]],
  );
});

function readyIps(harness: Harness): readonly string[] {
  return harness.api
    .all<EndpointSlice>(KINDS.endpointSlice)
    .flatMap((slice) => slice.endpoints.filter((endpoint) => endpoint.conditions?.ready === true))
    .flatMap((endpoint) => endpoint.addresses);
}

test("readiness reaches the slice and the Endpoints at once, in one slice that keeps its name", async (t) => {
  const harness = await startAll(t);
  const { client } = harness.api;
  await client.create(KINDS.service, service());
  await harness.run();
  assert.deepEqual(
    harness.api.all<EndpointSlice>(KINDS.endpointSlice).map((slice) => slice.endpoints),
    [[]],
  );
  const { status: _status, ...unborn } = pod("a");
  const made = await client.create<Pod>(KINDS.pod, unborn);
  await harness.run(100);
  await setReady(harness, made, true);
  await harness.run(0);
  const [ip] = readyIps(harness);
  assert.ok(ip?.startsWith("10.244."));
  const [before] = harness.names(KINDS.endpointSlice);
  await harness.run(100);
  await setReady(harness, harness.pods()[0] ?? made, false);
  await harness.run(0);
  assert.deepEqual(readyIps(harness), []);
  assert.deepEqual(harness.names(KINDS.endpointSlice), [before]);
  const [endpoints] = harness.api.all<Endpoints>(KINDS.endpoints);
  assert.equal(endpoints?.subsets?.[0]?.notReadyAddresses?.[0]?.ip, ip);
});

test("splits more than a hundred pods over slices and merges nothing needlessly", async (t) => {
  const harness = await startAll(t);
  await harness.api.client.create(KINDS.service, service());
  for (let i = 0; i < 130; i++) {
    const { status: _status, ...unborn } = pod(`p${String(i).padStart(3, "0")}`);
    const made = await harness.api.client.create<Pod>(KINDS.pod, unborn);
    await setReady(harness, made, true);
  }
  await harness.run();
  const sizes = harness.api.all<EndpointSlice>(KINDS.endpointSlice).map((slice) => slice.endpoints.length);
  assert.deepEqual(sizes.sort(), [100, 30]);
  assert.equal(new Set(readyIps(harness)).size, 130);
});

test("a deleted Service takes its slices and Endpoints with it", async (t) => {
  const harness = await startAll(t);
  await harness.api.client.create(KINDS.service, service());
  await harness.run();
  assert.equal(harness.names(KINDS.endpointSlice).length, 1);
  await harness.api.client.delete(KINDS.service, { namespace: "a", name: "web" });
  await harness.run();
  assert.deepEqual([harness.names(KINDS.endpointSlice), harness.names(KINDS.endpoints)], [[], []]);
});

test("leaves alone what the author of a Service without selector wrote", async (t) => {
  const harness = await startAll(t);
  const { selector: _selector, ...spec } = service().spec;
  await harness.api.client.create(KINDS.service, { ...service(), spec });
  const metadata = { name: "web", namespace: "a" };
  const subsets = [{ addresses: [{ ip: "192.0.2.1" }], ports: [{ port: 80 }] }];
  await harness.api.client.create(KINDS.endpoints, { apiVersion: "v1", kind: "Endpoints", metadata, ...{ subsets } });
  await harness.run();
  assert.deepEqual(harness.api.all<Endpoints>(KINDS.endpoints)[0]?.subsets, subsets);
  assert.deepEqual(harness.names(KINDS.endpointSlice), []);
});
