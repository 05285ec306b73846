/** Which hosts of a cluster may get a request: subsets and their fallbacks, priorities, health and panic. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@argyle/telemetry";
import { createFakeClock } from "@argyle/testkit";
import { compileCluster } from "../src/config/cluster-config.ts";
import { Fields } from "../src/config/fields.ts";
import { createTimerWheel } from "../src/io/timer-wheel.ts";
import { createSecretStore } from "../src/tls/secret-store.ts";
import { ANY_HOST, Cluster } from "../src/upstream/cluster.ts";

interface HostSpec {
  readonly ip: string;
  readonly priority?: number;
  readonly health?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function clusterOf(hosts: readonly HostSpec[], extra: object): Cluster {
  const problems: { path: string; message: string }[] = [];
  const endpoints = hosts.map(({ ip, priority = 0, health = "HEALTHY", labels = {} }) => ({
    priority,
    lb_endpoints: [
      {
        endpoint: { address: { socket_address: { address: ip, port_value: 80 } } },
        health_status: health,
        metadata: { filter_metadata: { "envoy.lb": labels } },
      },
    ],
  }));
  const config = compileCluster(
    new Fields({ name: "a", type: "STATIC", load_assignment: { cluster_name: "a", endpoints }, ...extra }, "", {
      problems,
    }),
  );
  assert.deepEqual(problems, []);
  return new Cluster(config, "1", {
    registry: createRegistry(),
    clock: createFakeClock(),
    wheel: createTimerWheel(createFakeClock()),
    dialer: { dial: () => Promise.reject(new Error("not in this test")) },
    secrets: createSecretStore(),
    random: Math.random,
    resolveName: async () => [],
    onDnsFailure: () => undefined,
    onWarm: () => undefined,
  });
}

const V1 = { ip: "10.0.0.1", labels: { version: "v1", stage: "prod" } };
const V2 = { ip: "10.0.0.2", labels: { version: "v2", stage: "prod" } };
const V2_DEV = { ip: "10.0.0.3", labels: { version: "v2", stage: "dev" } };
const selectors = (...keys: readonly (readonly string[])[]) => ({ subset_selectors: keys.map((k) => ({ keys: k })) });
const subset = (value: object) => ({ lb_subset_config: value });
const NO_PANIC = { common_lb_config: { healthy_panic_threshold: { value: 0 } } };

const cases: readonly {
  readonly name: string;
  readonly hosts: readonly HostSpec[];
  readonly extra?: object;
  readonly match?: Readonly<Record<string, unknown>>;
  readonly picked: readonly string[];
}[] = [
  { name: "all without a subset", hosts: [V1, V2, V2_DEV], picked: [".1", ".2", ".3"] },
  {
    name: "the subset",
    hosts: [V1, V2, V2_DEV],
    extra: subset(selectors(["version"])),
    match: { version: "v2" },
    picked: [".2", ".3"],
  },
  {
    name: "a subset of two keys, in any order",
    hosts: [V1, V2, V2_DEV],
    extra: subset(selectors(["version", "stage"])),
    match: { stage: "dev", version: "v2" },
    picked: [".3"],
  },
  {
    name: "nobody for a subset without hosts",
    hosts: [V1],
    extra: subset(selectors(["version"])),
    match: { version: "v9" },
    picked: [],
  },
  {
    name: "anyone with fallback ANY_ENDPOINT",
    hosts: [V1, V2],
    extra: subset({ ...selectors(["version"]), fallback_policy: "ANY_ENDPOINT" }),
    match: { version: "v9" },
    picked: [".1", ".2"],
  },
  {
    name: "the default subset with fallback DEFAULT_SUBSET",
    hosts: [V1, V2],
    extra: subset({
      ...selectors(["version"]),
      fallback_policy: "DEFAULT_SUBSET",
      default_subset: { version: "v1" },
    }),
    match: { version: "v9" },
    picked: [".1"],
  },
  {
    name: "nobody for keys that no selector names",
    hosts: [V1, V2],
    extra: subset(selectors(["version"])),
    match: { stage: "prod" },
    picked: [],
  },
  {
    name: "the first priority while it has a healthy host",
    hosts: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2", priority: 1 }],
    picked: [".1"],
  },
  {
    name: "the next priority when the first has none",
    hosts: [
      { ip: "10.0.0.1", health: "UNHEALTHY" },
      { ip: "10.0.0.2", priority: 1 },
    ],
    picked: [".2"],
  },
  {
    name: "the healthy ones",
    hosts: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2", health: "UNHEALTHY" }, { ip: "10.0.0.3" }],
    picked: [".1", ".3"],
  },
  {
    name: "all in panic: less than half are healthy",
    hosts: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2", health: "UNHEALTHY" }, { ip: "10.0.0.3", health: "UNHEALTHY" }],
    picked: [".1", ".2", ".3"],
  },
  {
    name: "the healthy one where panic is off",
    hosts: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2", health: "UNHEALTHY" }, { ip: "10.0.0.3", health: "UNHEALTHY" }],
    extra: NO_PANIC,
    picked: [".1"],
  },
  {
    name: "nobody where panic is off and none is healthy",
    hosts: [{ ip: "10.0.0.1", health: "UNHEALTHY" }],
    extra: NO_PANIC,
    picked: [],
  },
  {
    name: "never one that drains",
    hosts: [{ ip: "10.0.0.1", health: "DRAINING" }, { ip: "10.0.0.2" }],
    picked: [".2"],
  },
];
for (const c of cases) {
  for (const policy of ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"]) {
    test(`${policy} picks ${c.name}`, () => {
      const cluster = clusterOf(c.hosts, { lb_policy: policy, ...c.extra });
      const seen = new Set<string>();
      for (let i = 0; i < 200; i++) {
        const host = cluster.pick({
          ...ANY_HOST,
          metadataMatch: c.match,
        });
        if (host !== undefined) seen.add(host.name.slice("10.0.0".length).replace(":80", ""));
      }
      assert.deepEqual([...seen].sort(), c.picked);
      cluster.close();
    });
  }
}
