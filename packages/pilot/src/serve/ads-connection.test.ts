import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createRegistry } from "@argyle/telemetry";
import { createFakeClock } from "@argyle/testkit";
import {
  CLUSTER_TYPE,
  createDeltaServerSession,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  LISTENER_TYPE,
  shortTypeName,
} from "@argyle/xds";
import { type AdsConnection, createAdsConnection } from "./ads-connection.ts";
import type { ProxyNode } from "./config-source.ts";
import { createServeMetrics } from "./serve-metrics.ts";

const NODE_ID = "sidecar~10.244.0.5~web-1.shop~shop.svc.cluster.local";

function start(identity?: ProxyNode["identity"]) {
  const written: string[] = [];
  const failures: string[] = [];
  let canWrite = true;
  let version = "1";
  let connection: AdsConnection | undefined;
  const clock = createFakeClock();
  const registry = createRegistry();
  const session = createDeltaServerSession("s");
  const incoming = createAdsConnection<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
    { id: "1", mode: "delta", address: "peer", identity },
    session,
    {
      write(response) {
        written.push(`${shortTypeName(response.typeUrl)} ${response.resources.map((r) => r.version).join()}`);
        return canWrite;
      },
      fail: (code, message) => void failures.push(`${code} ${message}`),
      end: () => undefined,
    },
    {
      clock,
      log: silentLogger,
      metrics: createServeMetrics(registry, "1"),
      lookupFor: () => () => new Map([["a", { version, value: Buffer.from(version) }]]),
      onReady: (ready) => {
        connection = ready;
      },
      requestFlush: (one) => one.flush(),
    },
  );
  const request = (typeUrl: string, fields: Partial<DeltaDiscoveryRequest> = {}) =>
    incoming.request({
      typeUrl,
      subscribe: [],
      unsubscribe: [],
      initialResourceVersions: new Map(),
      responseNonce: "",
      ...fields,
    });
  return {
    written,
    failures,
    clock,
    registry,
    incoming,
    request,
    connection: () => connection,
    block: () => {
      canWrite = false;
    },
    change(to: string) {
      version = to;
      connection?.markChanged(new Set([CLUSTER_TYPE]), clock.monotonic());
      connection?.flush();
    },
  };
}

test("writes nothing while the stream is full, and the newest when it has drained", () => {
  const c = start();
  c.block();
  c.request(CLUSTER_TYPE, { node: { id: NODE_ID } });
  assert.deepEqual(c.written, ["cds 1"]);
  c.request(CLUSTER_TYPE, { responseNonce: "s-1" });
  c.change("2");
  c.change("3");
  c.request(LISTENER_TYPE);
  assert.deepEqual(c.written, ["cds 1"]);
  c.incoming.resumed();
  assert.deepEqual(c.written, ["cds 1", "cds 3", "lds 3"]);
});

test("measures convergence from the first unsent change until nothing is left to say", async () => {
  const c = start();
  c.request(CLUSTER_TYPE, { node: { id: NODE_ID } });
  c.change("2");
  await c.clock.advance(2000);
  assert.doesNotMatch(c.registry.expose(), /pilot_proxy_convergence_time_count 1/);
  c.request(CLUSTER_TYPE, { responseNonce: "s-1" });
  assert.match(c.registry.expose(), /pilot_proxy_convergence_time_sum 2\n/);
  assert.match(c.registry.expose(), /pilot_proxy_convergence_time_count 1/);
});

const refusals = [
  { name: "no node", node: undefined, expected: /^INVALID_ARGUMENT the first request/ },
  { name: "a node id of another form", node: "envoy-1", expected: /^INVALID_ARGUMENT node\.id: must be type~ip/ },
  { name: "an unknown proxy type", node: "ztunnel~1~a.b~c", expected: /^INVALID_ARGUMENT node\.id: type must be/ },
  { name: "a node of another namespace", node: "sidecar~1~a.other~c", expected: /^PERMISSION_DENIED/ },
];
for (const { name, node, expected } of refusals) {
  test(`refuses ${name}`, () => {
    const c = start({ namespace: "shop", serviceAccount: "web" });
    c.request(CLUSTER_TYPE, node === undefined ? {} : { node: { id: node } });
    assert.match(c.failures.join(), expected);
    assert.equal(c.connection(), undefined);
    assert.deepEqual(c.written, []);
  });
}
