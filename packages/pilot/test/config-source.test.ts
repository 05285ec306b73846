/** Incremental translation: who is told of what, what stays the same object, and how long it takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@argyle/kube-types";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, shortTypeName } from "@argyle/xds";
import { createMeshCollections } from "../src/collections.ts";
import { createConfigSource } from "../src/config-source.ts";
import type { ConfigChange, ProxyNode } from "../src/serve/config-source.ts";
import { testNode } from "./test-node.ts";

const SERVICES = 15;
const name = (index: number) => `svc-${index}`;
const label = { labels: { "istio-injection": "enabled" } };

function service(index: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: name(index), namespace: "shop", ...label },
    spec: {
      clusterIP: `10.96.1.${index}`,
      selector: { app: name(index) },
      ports: [{ name: index % 5 === 0 ? "tcp-db" : "http", port: index % 5 === 0 ? 5432 : 80, targetPort: 8080 }],
    },
  };
}

function pod(index: number, ready = true, serviceAccountName = "default"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${name(index)}-x`,
      namespace: "shop",
      labels: { app: name(index), "security.istio.io/tlsMode": "istio" },
    },
    spec: { serviceAccountName, containers: [{ name: "a" }] },
    status: {
      podIP: `10.244.1.${index}`,
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

function slice(index: number, addresses: readonly string[], unready: readonly string[] = []): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name(index)}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name(index) } },
    addressType: "IPv4",
    endpoints: [...addresses, ...unready].map((address) => ({
      addresses: [address],
      conditions: { ready: !unready.includes(address) },
    })),
    ports: [{ name: index % 5 === 0 ? "tcp-db" : "http", port: 8080 }],
  } as unknown as KubeObject;
}

function virtualService(host: string, timeout: string, gateways?: readonly string[]): KubeObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: host === "*" ? "edge" : host, namespace: "shop" },
    spec: {
      hosts: [host],
      ...(gateways === undefined ? {} : { gateways }),
      http: [{ timeout, route: [{ destination: { host: name(1) } }] }],
    },
  };
}

const gateway: KubeObject = {
  apiVersion: "networking.istio.io/v1",
  kind: "Gateway",
  metadata: { name: "edge", namespace: "shop" },
  spec: {
    selector: { istio: "ingressgateway" },
    servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
  },
};

function mesh() {
  const source = createConfigSource(createMeshCollections());
  const objects: KubeObject[] = [gateway, virtualService("*", "1s", ["edge"])];
  for (let i = 1; i <= SERVICES; i++) objects.push(service(i), pod(i), slice(i, [`10.244.1.${i}`]));
  source.apply(objects.map((object) => ({ type: "set", object })));
  const sidecars = Array.from({ length: 19 }, (_, i) =>
    testNode({ ip: `10.244.1.${i + 1}`, name: `${name(i + 1)}-x`, namespace: "shop", labels: { app: name(i + 1) } }),
  );
  const router = testNode({
    type: "router",
    ip: "10.244.9.9",
    name: "gw",
    namespace: "istio-system",
    labels: { istio: "ingressgateway" },
  });
  for (const node of [...sidecars, router]) subscribeAll(source, node);
  const seen: { readonly types: readonly string[]; readonly nodes: readonly string[] }[] = [];
  source.subscribe((change: ConfigChange) => {
    seen.push({
      types: [...change.typeUrls].map(shortTypeName),
      nodes: [...sidecars, router].filter((node) => change.affects(node)).map((node) => node.name),
    });
  });
  return { source, sidecars, router, seen };
}

/** What a proxy does at start. */
function subscribeAll(source: ReturnType<typeof createConfigSource>, node: ProxyNode): void {
  const clusters = source.resources(node, CLUSTER_TYPE, "*");
  source.resources(node, LISTENER_TYPE, "*");
  source.resources(node, ROUTE_TYPE, new Set(node.type === "router" ? ["http.80"] : ["80"]));
  source.resources(node, ENDPOINT_TYPE, new Set([...clusters.keys()].filter((key) => key.startsWith("outbound"))));
}

test("a VirtualService of the mesh touches routes of sidecars only", () => {
  const { source, sidecars, seen } = mesh();
  source.apply([{ type: "set", object: virtualService(name(1), "2s") }]);
  assert.deepEqual(seen, [{ types: ["rds"], nodes: sidecars.map((node) => node.name) }]);
});

test("a VirtualService of a gateway touches that gateway only", () => {
  const { source, seen } = mesh();
  source.apply([{ type: "set", object: virtualService("*", "3s", ["edge"]) }]);
  assert.deepEqual(seen, [{ types: ["rds"], nodes: ["gw"] }]);
});

test("an EndpointSlice touches endpoints only, and keeps every other object", () => {
  const { source, sidecars, seen } = mesh();
  const [first] = sidecars;
  assert.ok(first);
  const before = source.resources(first, CLUSTER_TYPE, "*");
  source.apply([{ type: "set", object: slice(1, ["10.244.1.1", "10.244.1.99"]) }]);
  assert.deepEqual(
    seen[0]?.types.filter((type) => type !== "cds"),
    ["eds"],
  );
  const after = source.resources(first, CLUSTER_TYPE, "*");
  for (const [key, cluster] of after) if (!key.includes("svc-1.")) assert.equal(cluster, before.get(key));
});

test("a pod's identity counts before the pod is ready, so that becoming ready changes endpoints alone", () => {
  const { source, sidecars, seen } = mesh();
  const [first] = sidecars;
  assert.ok(first);
  const name = "outbound|80||svc-1.shop.svc.cluster.local";
  const endpoints = () => JSON.stringify(source.resources(first, ENDPOINT_TYPE, new Set([name])).get(name));
  const before = endpoints();
  source.apply([
    { type: "set", object: pod(20, false, "other") },
    { type: "set", object: slice(1, ["10.244.1.1"], ["10.244.1.20"]) },
  ]);
  assert.match(JSON.stringify(source.resources(first, CLUSTER_TYPE, "*").get(name)), /sa\/other/);
  assert.equal(endpoints(), before);
  for (const node of sidecars) subscribeAll(source, node);
  seen.length = 0;
  source.apply([{ type: "set", object: slice(1, ["10.244.1.1", "10.244.1.20"]) }]);
  assert.deepEqual(
    seen.map(({ types }) => types),
    [["eds"]],
  );
  assert.match(endpoints(), /10\.244\.1\.20/);
});

test("a slice that says the same changes nothing", () => {
  const { source, seen } = mesh();
  source.apply([{ type: "set", object: slice(1, ["10.244.1.1"]) }]);
  assert.deepEqual(seen, []);
});

test("proxies of one namespace share their outbound clusters and endpoints", () => {
  const { source, sidecars } = mesh();
  const [a, b] = sidecars;
  assert.ok(a && b);
  const cluster = "outbound|80||svc-1.shop.svc.cluster.local";
  assert.equal(
    source.resources(a, CLUSTER_TYPE, "*").get(cluster),
    source.resources(b, CLUSTER_TYPE, "*").get(cluster),
  );
  const names = new Set([cluster]);
  assert.equal(
    source.resources(a, ENDPOINT_TYPE, names).get(cluster),
    source.resources(b, ENDPOINT_TYPE, names).get(cluster),
  );
});

test("a change and its undoing give the same object again", () => {
  const { source, router } = mesh();
  const routes = () => source.resources(router, ROUTE_TYPE, new Set(["http.80"])).get("http.80");
  const before = routes();
  source.apply([{ type: "set", object: virtualService("*", "9s", ["edge"]) }]);
  assert.notEqual(routes(), before);
  source.apply([{ type: "set", object: virtualService("*", "1s", ["edge"]) }]);
  assert.equal(routes(), before);
});

test("a name that did not exist concerns whoever asked for it", () => {
  const { source, sidecars } = mesh();
  const [first, second] = sidecars;
  assert.ok(first && second);
  const later = "outbound|80||svc-16.shop.svc.cluster.local";
  source.resources(first, ENDPOINT_TYPE, new Set([later]));
  let concerned: readonly boolean[] = [];
  source.subscribe((change) => {
    concerned = [first, second].map((node) => change.typeUrls.has(ENDPOINT_TYPE) && change.affects(node));
  });
  source.apply([{ type: "set", object: service(16) }]);
  assert.equal(concerned[0], true);
});
