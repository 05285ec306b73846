import assert from "node:assert/strict";
import { test } from "node:test";
import type { Balanced, Balancer } from "./balancer.ts";
import { createLeastRequest } from "./least-request.ts";
import { createMaglev } from "./maglev.ts";
import { createRandom } from "./random.ts";
import { createRingHash } from "./ring-hash.ts";
import { createRoundRobin } from "./round-robin.ts";

interface TestHost extends Balanced {
  readonly name: string;
}

const RING = { minimumRingSize: 1024, maximumRingSize: 8_388_608, hashFunction: "XX_HASH" } as const;

const policies: readonly {
  name: string;
  isWeighted: boolean;
  create: (hosts: readonly TestHost[]) => Balancer<TestHost>;
}[] = [
  { name: "round robin", isWeighted: true, create: (hosts) => createRoundRobin(hosts, seeded()) },
  { name: "least request", isWeighted: true, create: (hosts) => createLeastRequest(hosts, seeded(), 2) },
  { name: "ring hash without hashes", isWeighted: true, create: (hosts) => createRingHash(hosts, seeded(), RING) },
  { name: "maglev without hashes", isWeighted: true, create: (hosts) => createMaglev(hosts, seeded(), 65_537) },
  { name: "random", isWeighted: false, create: (hosts) => createRandom(hosts, seeded()) },
];

for (const policy of policies) {
  test(`${policy.name}: no host for no hosts`, () => assert.equal(policy.create([]).pick(), undefined));

  test(`${policy.name}: spreads over equal hosts`, () => {
    const counts = count(policy.create(hosts(1, 1, 1, 1)), 8000);
    for (const share of counts) assert.ok(Math.abs(share - 0.25) < 0.06, `${counts}`);
  });

  if (policy.isWeighted) {
    test(`${policy.name}: keeps to the weights`, () => {
      const [light = 0, heavy = 0] = count(policy.create(hosts(1, 3)), 8000);
      assert.ok(Math.abs(light - 0.25) < 0.06 && Math.abs(heavy - 0.75) < 0.06, `${light} ${heavy}`);
    });
  }
}

test("least request: prefers the idle host", () => {
  const busy = { name: "0", hashKey: "0", weight: 1, active: 50 };
  const idle = { name: "1", hashKey: "1", weight: 1, active: 0 };
  const [shareOfBusy = 1] = count(createLeastRequest([busy, idle], seeded(), 2), 4000);
  assert.ok(shareOfBusy < 0.3, `${shareOfBusy}`);
});

test("round robin: weighted turns are exact over a cycle", () => {
  const balancer = createRoundRobin(hosts(1, 2, 3), () => 0);
  const names = Array.from({ length: 6 }, () => balancer.pick()?.name).sort();
  assert.deepEqual(names, ["0", "1", "1", "2", "2", "2"]);
});

function hosts(...weights: readonly number[]): readonly TestHost[] {
  return weights.map((weight, index) => ({ name: String(index), hashKey: `10.0.0.${index}:80`, weight, active: 0 }));
}

function count(balancer: Balancer<TestHost>, picks: number): readonly number[] {
  const counts = new Map<string, number>();
  for (let i = 0; i < picks; i++) {
    const name = balancer.pick()?.name ?? "none";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, n]) => n / picks);
}

/** A small linear congruential generator: the same numbers in each run. */
function seeded(): () => number {
  let state = 42;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}
