/** Passive health: which results eject a host, for how long, and how many may be out at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@argyle/telemetry";
import { createFakeClock } from "@argyle/testkit";
import { compileCluster } from "../src/config/cluster-config.ts";
import { Fields } from "../src/config/fields.ts";
import { createTimerWheel } from "../src/io/timer-wheel.ts";
import { createClusterStats } from "../src/upstream/cluster-stats.ts";
import { Host } from "../src/upstream/host.ts";
import { createOutlierDetector } from "../src/upstream/outlier.ts";

function setUp(detection: object, hostCount: number, random = () => 0) {
  const clock = createFakeClock();
  const wheel = createTimerWheel(clock);
  const problems: { path: string; message: string }[] = [];
  const config = compileCluster(
    new Fields({ name: "a", type: "STATIC", outlier_detection: detection }, "", { problems }),
  ).outlier;
  assert.deepEqual(problems, []);
  assert.ok(config !== undefined);
  const hosts = Array.from(
    { length: hostCount },
    (_, i) =>
      new Host({
        address: { kind: "ip", ip: `10.0.0.${i + 1}`, port: 80 },
        hostname: "",
        weight: 1,
        priority: 0,
        locality: "",
        localityWeight: 1,
        health: "HEALTHY",
        metadata: {},
      }),
  );
  const registry = createRegistry();
  let changes = 0;
  const stats = createClusterStats(registry, "a");
  const detector = createOutlierDetector(
    config,
    () => stats,
    wheel,
    () => hosts,
    random,
    () => {
      changes += 1;
    },
  );
  const fail = (index: number, times: number, status = 503) => {
    const host = hosts[index];
    assert.ok(host !== undefined);
    for (let i = 0; i < times; i++) detector.onResult(host, status);
  };
  const ejected = () => hosts.flatMap((host, index) => (host.isEjected ? [index] : []));
  return { clock, wheel, registry, fail, ejected, changes: () => changes };
}

const FIVE = { consecutive_5xx: 5, max_ejection_percent: 100 };
const cases: readonly {
  readonly name: string;
  readonly detection: object;
  readonly hosts: number;
  /** [host, times, status] in order. */
  readonly results: readonly (readonly [number, number, number])[];
  readonly ejected: readonly number[];
  readonly random?: number;
}[] = [
  { name: "four of five are too few", detection: FIVE, hosts: 2, results: [[0, 4, 500]], ejected: [] },
  { name: "the fifth in a row ejects", detection: FIVE, hosts: 2, results: [[0, 5, 500]], ejected: [0] },
  {
    name: "a success begins anew",
    detection: FIVE,
    hosts: 2,
    results: [
      [0, 4, 500],
      [0, 1, 200],
      [0, 4, 500],
    ],
    ejected: [],
  },
  { name: "a client's error is no failure", detection: FIVE, hosts: 2, results: [[0, 20, 429]], ejected: [] },
  {
    name: "hosts are counted apart",
    detection: FIVE,
    hosts: 2,
    results: [
      [0, 3, 500],
      [1, 3, 500],
      [0, 1, 500],
    ],
    ejected: [],
  },
  {
    name: "gateway failures are not enforced unless asked for",
    detection: { consecutive_5xx: 100, consecutive_gateway_failure: 2, max_ejection_percent: 100 },
    hosts: 2,
    results: [[0, 4, 503]],
    ejected: [],
  },
  {
    name: "gateway failures, enforced",
    detection: {
      consecutive_5xx: 100,
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
      max_ejection_percent: 100,
    },
    hosts: 2,
    results: [[0, 2, 502]],
    ejected: [0],
  },
  {
    name: "500 is no gateway failure",
    detection: {
      consecutive_5xx: 100,
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
      max_ejection_percent: 100,
    },
    hosts: 2,
    results: [[0, 4, 500]],
    ejected: [],
  },
  {
    name: "enforcing 0 only watches",
    detection: { ...FIVE, enforcing_consecutive_5xx: 0 },
    hosts: 2,
    results: [[0, 5, 500]],
    ejected: [],
  },
  {
    name: "enforcing 40 ejects when chance says so",
    detection: { ...FIVE, enforcing_consecutive_5xx: 40 },
    hosts: 2,
    results: [[0, 5, 500]],
    random: 0.39,
    ejected: [0],
  },
  {
    name: "enforcing 40 spares when chance says so",
    detection: { ...FIVE, enforcing_consecutive_5xx: 40 },
    hosts: 2,
    results: [[0, 5, 500]],
    random: 0.4,
    ejected: [],
  },
  {
    name: "half of four may be out",
    detection: { consecutive_5xx: 1, max_ejection_percent: 50 },
    hosts: 4,
    results: [
      [0, 1, 500],
      [1, 1, 500],
      [2, 1, 500],
    ],
    ejected: [0, 1],
  },
  {
    name: "all may be out at 100 %",
    detection: { consecutive_5xx: 1, max_ejection_percent: 100 },
    hosts: 2,
    results: [
      [0, 1, 500],
      [1, 1, 500],
    ],
    ejected: [0, 1],
  },
];
for (const c of cases) {
  test(`outlier: ${c.name}`, () => {
    const { wheel, fail, ejected, changes, registry } = setUp(c.detection, c.hosts, () => c.random ?? 0);
    for (const [host, times, status] of c.results) fail(host, times, status);
    assert.deepEqual(ejected(), c.ejected);
    assert.equal(changes(), c.ejected.length);
    const active = /^envoy_cluster_outlier_detection_ejections_active\{[^}]*\} (\d+)/m.exec(registry.expose())?.[1];
    assert.equal(Number(active), c.ejected.length);
    wheel.close();
  });
}

test("outlier: back after base_ejection_time, after twice as long the second time, never later than the maximum", async () => {
  const { clock, wheel, fail, ejected } = setUp(
    { consecutive_5xx: 1, base_ejection_time: "10s", max_ejection_time: "25s", max_ejection_percent: 100 },
    2,
  );
  for (const seconds of [10, 20, 25]) {
    fail(0, 1);
    assert.deepEqual(ejected(), [0]);
    await clock.advance(seconds * 1000 - 100);
    assert.deepEqual(ejected(), [0], `back before ${seconds} s`);
    await clock.advance(200);
    assert.deepEqual(ejected(), [], `not back after ${seconds} s`);
  }
  wheel.close();
});
