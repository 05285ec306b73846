import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createRegistry } from "@argyle/telemetry";
import { createFakeClock } from "@argyle/testkit";
import { createTimerWheel } from "./io/timer-wheel.ts";
import { TYPE_URL } from "./resource-sink.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

function runtime(): Runtime {
  const clock = createFakeClock();
  return createRuntime({
    clock,
    wheel: createTimerWheel(clock),
    random: () => 0,
    uuid: () => "u",
    log: silentLogger,
    registry: createRegistry(),
    dialer: { dial: () => Promise.reject(new Error("not in this test")) },
    resolveName: async () => [],
    writeAccessLog: () => undefined,
    node: { id: "n", cluster: "c", metadata: {} },
  });
}

const one = (name: string, resource: object) => [{ name, version: "1", resource: { name, ...resource } }];
const eds = { type: "EDS", eds_cluster_config: { service_name: "svc" } };
const endpoints = (port: number) => ({
  cluster_name: "svc",
  endpoints: [
    { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "10.0.0.1", port_value: port } } } }] },
  ],
});
const listener = (route: string) => ({
  address: { socket_address: { address: "0.0.0.0", port_value: 80 } },
  filter_chains: [
    {
      filters: [
        {
          name: "hcm",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix: "x",
            rds: { route_config_name: route },
            http_filters: [
              {
                name: "r",
                typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
              },
            ],
          },
        },
      ],
    },
  ],
});

test("a cluster warms until its endpoints are there, and names are followed", () => {
  const r = runtime();
  const told: string[] = [];
  r.onWantedChange((typeUrl) => told.push(typeUrl));
  assert.deepEqual(r.apply(TYPE_URL.cluster, one("a", eds), []), []);
  assert.deepEqual(told, [TYPE_URL.endpoint]);
  assert.deepEqual([...(r.wanted(TYPE_URL.endpoint) as ReadonlySet<string>)], ["svc"]);
  assert.equal(r.snapshot().clusters.size, 0);
  r.apply(TYPE_URL.endpoint, [{ name: "svc", version: "1", resource: endpoints(1) }], []);
  assert.equal(r.snapshot().clusters.get("a")?.hosts[0]?.name, "10.0.0.1:1");
});

test("a changed cluster replaces the old one only when warm, and a snapshot never changes", () => {
  const r = runtime();
  r.apply(TYPE_URL.cluster, one("a", eds), []);
  r.apply(TYPE_URL.endpoint, [{ name: "svc", version: "1", resource: endpoints(1) }], []);
  const before = r.snapshot();
  const old = before.clusters.get("a");
  r.apply(TYPE_URL.cluster, one("a", { type: "EDS", eds_cluster_config: { service_name: "other" } }), []);
  assert.equal(r.snapshot().clusters.get("a"), old);
  r.apply(TYPE_URL.cluster, [], ["a"]);
  assert.equal(r.snapshot().clusters.size, 0);
  assert.equal(before.clusters.get("a"), old);
});

test("the good resources of a response are applied, the bad ones told with every problem", () => {
  const r = runtime();
  const rejected = r.apply(
    TYPE_URL.cluster,
    [...one("good", { type: "STATIC", load_assignment: {} }), ...one("bad", { type: "NOPE", connect_timeout: "soon" })],
    [],
  );
  assert.deepEqual(
    rejected.map(({ name }) => name),
    ["bad"],
  );
  assert.match(rejected[0]?.message ?? "", /type[\s\S]*connect_timeout/);
  assert.ok(r.snapshot().clusters.has("good"));
});

test("a listener warms until its routes are there; ready means both came and nothing warms", () => {
  const r = runtime();
  r.apply(TYPE_URL.cluster, [], []);
  r.apply(TYPE_URL.listener, one("l", listener("80")), []);
  assert.equal(r.isReady, false);
  assert.deepEqual([...(r.wanted(TYPE_URL.route) as ReadonlySet<string>)], ["80"]);
  r.apply(TYPE_URL.route, one("80", { virtual_hosts: [] }), []);
  assert.ok(r.listeners.has("l"));
  assert.equal(r.isReady, true);
});

test("an unknown HTTP filter rejects the listener", () => {
  const r = runtime();
  const config = JSON.parse(
    JSON.stringify(listener("80")).replace("envoy.extensions.filters.http.router.v3.Router", "no.such.Filter"),
  ) as object;
  const [rejected] = r.apply(TYPE_URL.listener, one("l", config), []);
  assert.match(
    rejected?.message ?? "",
    /Didn't find a registered implementation for 'r' with type URL: 'no.such.Filter'/,
  );
});
