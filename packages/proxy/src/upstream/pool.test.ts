import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { createRegistry } from "@argyle/telemetry";
import { createFakeClock, settle } from "@argyle/testkit";
import type { ClusterConfig, Thresholds } from "../config/cluster-config.ts";
import { createTimerWheel } from "../io/timer-wheel.ts";
import { Transport } from "../io/transport.ts";
import { createClusterStats } from "./cluster-stats.ts";
import type { Dialed } from "./dialer.ts";
import { Host } from "./host.ts";
import { HttpPool } from "./pool.ts";

const LIMITS = { maxConnections: 10, maxPendingRequests: 10, maxRequests: 10, maxRetries: 3 } as unknown as Thresholds;

test("a request that waits for its connection is served when the pool begins to drain meanwhile", async () => {
  const dials: ((dialed: Dialed) => void)[] = [];
  const config = {
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 1000,
    connectTimeoutMs: 1000,
  } as unknown as ClusterConfig;
  const host = new Host({
    address: { kind: "ip", ip: "127.0.0.1", port: 1 },
    weight: 1,
    priority: 0,
    health: "HEALTHY",
    hostname: "",
    metadata: {},
    locality: "",
    localityWeight: 1,
  });
  const usage = {
    config,
    stats: createClusterStats(createRegistry(), "a"),
    wheel: createTimerWheel(createFakeClock()),
    clock: createFakeClock(),
    dialer: { dial: () => new Promise<Dialed>((resolve) => void dials.push(resolve)) },
    connections: 0,
    pending: 0,
  };
  const pool = new HttpPool(host, usage, undefined, "http1");
  const events: string[] = [];
  const client = {
    onPoolReady: () => void events.push("ready"),
    onPoolFailure: () => void events.push("failure"),
  };
  pool.acquire(client, LIMITS);
  pool.drain();
  const socket = new Socket();
  dials[0]?.({
    transport: new Transport(socket),
    localAddress: "127.0.0.1:2",
    peerPrincipal: undefined,
    alpn: undefined,
  });
  await settle();
  assert.deepEqual(events, ["ready"]);
  assert.equal(dials.length, 1);
  assert.equal(usage.pending, 0);
  socket.destroy();
});
