/** What a gRPC client that is its own proxy gets, and when it is told of a change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@argyle/kube-types";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "@argyle/xds";
import { createMeshCollections } from "../src/collections.ts";
import { createConfigSource } from "../src/config-source.ts";
import { testNode } from "./test-node.ts";

const service = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: { clusterIP: `10.96.0.${name.length}`, ports: [{ name: "grpc", port: 7070, targetPort: 50051 }] },
});
const route = (name: string, to: string): KubeObject => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name, namespace: "default" },
  spec: { hosts: [name], http: [{ route: [{ destination: { host: to } }] }] },
});

function start() {
  const source = createConfigSource(createMeshCollections());
  const set = (...objects: KubeObject[]) => source.apply(objects.map((object) => ({ type: "set", object })));
  set(service("echo"), service("other"));
  const pod = testNode({ ip: "10.244.0.9", name: "client", namespace: "default" });
  const node = { ...pod, metadata: { ...pod.metadata, GENERATOR: "grpc" } };
  const get = (typeUrl: string, name: string) => source.resources(node, typeUrl, new Set([name])).get(name);
  return { source, set, node, get };
}

const ECHO = "outbound|7070||echo.default.svc.cluster.local";

test("asks by name: an API listener, one virtual host for any authority, an EDS cluster", () => {
  const { get } = start();
  for (const host of ["echo.default.svc.cluster.local", "echo.default", "echo"]) {
    assert.match(JSON.stringify(get(LISTENER_TYPE, `${host}:7070`)), new RegExp(ECHO.replaceAll("|", "\\|")));
  }
  const found = get(ROUTE_TYPE, ECHO) as { readonly virtual_hosts: readonly { readonly domains: readonly string[] }[] };
  assert.deepEqual(
    found.virtual_hosts.map(({ domains }) => domains),
    [["*"]],
  );
  assert.deepEqual(get(CLUSTER_TYPE, ECHO), {
    name: ECHO,
    type: "EDS",
    eds_cluster_config: { service_name: ECHO, eds_config: { ads: {} } },
    lb_policy: "ROUND_ROBIN",
  });
  assert.notEqual(get(ENDPOINT_TYPE, ECHO), undefined);
});

for (const [typeUrl, name] of [
  [LISTENER_TYPE, "nobody.default.svc.cluster.local:7070"],
  [LISTENER_TYPE, "echo.default.svc.cluster.local:1"],
  [LISTENER_TYPE, "echo"],
  [LISTENER_TYPE, "virtualOutbound"],
  [ROUTE_TYPE, "7070"],
  [ROUTE_TYPE, "inbound|7070||"],
  [CLUSTER_TYPE, "PassthroughCluster"],
] as const) {
  test(`has no ${name}`, () => assert.equal(start().get(typeUrl, name), undefined));
}

test("is told of its own service's routes and of nobody else's", () => {
  const { source, set, node, get } = start();
  get(LISTENER_TYPE, "echo.default.svc.cluster.local:7070");
  get(ROUTE_TYPE, ECHO);
  get(CLUSTER_TYPE, ECHO);
  const told: boolean[] = [];
  source.subscribe((change) => void told.push(change.affects(node)));
  set(route("other", "echo"));
  set(route("echo", "other"));
  assert.deepEqual(told, [false, true]);
  assert.match(JSON.stringify(get(ROUTE_TYPE, ECHO)), /outbound\|7070\|\|other\.default/);
});
