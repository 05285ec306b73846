import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from "@argyle/kube-types";
import { buildRoute } from "./routes.ts";

function service(spec: ServiceSpec): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "a", uid: "u" }, spec };
}

function slice(endpoints: readonly Endpoint[], ports = [{ name: "http", port: 8080 }]): EndpointSlice {
  const metadata = { name: "web-x", namespace: "a" };
  return { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType: "IPv4", endpoints, ports };
}

const http = [{ name: "http", port: 80, nodePort: 30080 }];
const ready = (ip: string): Endpoint => ({ addresses: [ip], conditions: { ready: true } });
const unready = (ip: string): Endpoint => ({ addresses: [ip], conditions: { ready: false, serving: false } });
const leaving = (ip: string): Endpoint => ({
  addresses: [ip],
  conditions: { ready: false, serving: true, terminating: true },
});

const backendCases = [
  {
    name: "ready endpoints only",
    endpoints: [ready("1.1.1.1"), unready("1.1.1.2"), leaving("1.1.1.3")],
    want: ["1.1.1.1"],
  },
  {
    name: "serving ones on their way out when none is ready",
    endpoints: [unready("1.1.1.2"), leaving("1.1.1.3")],
    want: ["1.1.1.3"],
  },
  { name: "an absent condition as ready", endpoints: [{ addresses: ["1.1.1.4"] }], want: ["1.1.1.4"] },
  { name: "nothing when nothing serves", endpoints: [unready("1.1.1.2")], want: [] },
];
for (const c of backendCases) {
  test(`takes ${c.name}`, () => {
    const route = buildRoute(service({ clusterIP: "10.96.0.9", ports: http }), [slice(c.endpoints)]);
    assert.deepEqual(
      route.ports[0]?.backends.map(({ ip, port }) => `${ip}:${port}`),
      c.want.map((ip) => `${ip}:8080`),
    );
  });
}

const dnsCases = [
  { name: "a cluster IP", spec: { clusterIP: "10.96.0.9", ports: http }, want: { "web.a": "10.96.0.9\n" } },
  {
    name: "a headless Service: its ready pods, and those with a hostname by their own name",
    spec: { clusterIP: "None", ports: http },
    endpoints: [{ ...ready("10.244.0.1"), hostname: "db-0" }, ready("10.244.0.2"), unready("10.244.0.3")],
    want: { "web.a": "10.244.0.1\n10.244.0.2\n", "db-0.web.a": "10.244.0.1\n" },
  },
  {
    name: "a headless Service without a ready pod: the name without an address",
    spec: { clusterIP: "None" },
    want: { "web.a": "" },
  },
  {
    name: "an ExternalName: an alias",
    spec: { type: "ExternalName" as const, externalName: "db.example.org." },
    want: { "web.a": "CNAME db.example.org\n" },
  },
  { name: "a Service that has no address yet: nothing", spec: { ports: http }, want: {} },
];
for (const c of dnsCases) {
  test(`DNS of ${c.name}`, () => {
    const { dns } = buildRoute(service(c.spec), [slice(c.endpoints ?? [])]);
    assert.deepEqual(Object.fromEntries(dns.map(({ file, text }) => [file, text])), c.want);
  });
}

test("leaves out UDP ports, and node ports of a ClusterIP Service", () => {
  const ports = [...http, { name: "dns", port: 53, protocol: "UDP" as const }];
  const plain = buildRoute(service({ clusterIP: "10.96.0.9", ports }), []);
  assert.deepEqual(
    plain.ports.map(({ port, nodePort }) => [port, nodePort]),
    [[80, undefined]],
  );
  const node = buildRoute(service({ type: "NodePort", clusterIP: "10.96.0.9", ports }), []);
  assert.equal(node.ports[0]?.nodePort, 30080);
});
