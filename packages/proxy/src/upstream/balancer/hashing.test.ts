/** Consistent hashing: known values of the hash functions, and what a ring or a table does when hosts come, go and weigh differently. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Balanced, Balancer } from "./balancer.ts";
import { buildMaglevTable, createMaglev } from "./maglev.ts";
import { murmurHash2 } from "./murmur-hash.ts";
import { buildRing, createRingHash } from "./ring-hash.ts";
import { xxHash64 } from "./xx-hash.ts";

interface TestHost extends Balanced {
  readonly hashKey: string;
}

const RING = { minimumRingSize: 1024, maximumRingSize: 8_388_608, hashFunction: "XX_HASH" } as const;
const policies: readonly { name: string; create: (hosts: readonly TestHost[]) => Balancer<TestHost> }[] = [
  { name: "ring hash", create: (hosts) => createRingHash(hosts, () => 0.5, RING) },
  { name: "maglev", create: (hosts) => createMaglev(hosts, () => 0.5, 65_537) },
];
const KEYS = Array.from({ length: 4000 }, (_, index) => xxHash64(`user-${index}`));

// Values of the reference implementations.
for (const [text, seed, want] of [
  ["", 0n, 0xef46_db37_51d8_e999n],
  ["a", 0n, 0xd24e_c4f1_a98c_6e5bn],
  ["abc", 0n, 0x44bc_2cf5_ad77_0999n],
  ["Call me Ishmael. Some years ago--never mind how long precisely-", 0n, 0x02a2_e854_70d6_fd96n],
] as const)
  test(`xxHash64 of ${JSON.stringify(text)}`, () => assert.equal(xxHash64(text, seed), want));

test("murmurHash2 takes whole words and the rest", () => {
  const seen = new Set(["", "1234567", "12345678", "123456789"].map(murmurHash2));
  assert.equal(seen.size, 4);
  assert.equal(murmurHash2("12345678"), murmurHash2("12345678"));
});

for (const { name, create } of policies) {
  test(`${name}: no host for no hosts`, () => assert.equal(create([]).pick(1n), undefined));

  test(`${name}: the same hash finds the same host, in whatever order the hosts came`, () => {
    const one = create(hosts(1, 1, 1, 1));
    const other = create([...hosts(1, 1, 1, 1)].reverse());
    for (const key of KEYS) assert.equal(one.pick(key)?.hashKey, other.pick(key)?.hashKey);
  });

  test(`${name}: spreads hashes over equal hosts`, () => {
    for (const share of shares(create(hosts(1, 1, 1, 1)))) assert.ok(Math.abs(share - 0.25) < 0.06, `${share}`);
  });

  test(`${name}: keeps to the weights`, () => {
    const [light = 0, heavy = 0] = shares(create(hosts(1, 3)));
    assert.ok(Math.abs(light - 0.25) < 0.06 && Math.abs(heavy - 0.75) < 0.06, `${light} ${heavy}`);
  });

  test(`${name}: a host that goes moves few requests but its own`, () => {
    const all = hosts(1, 1, 1, 1, 1);
    const before = create(all);
    const after = create(all.slice(0, 4));
    const kept = KEYS.filter((key) => before.pick(key)?.hashKey !== "10.0.0.4:80");
    const moved = kept.filter((key) => before.pick(key)?.hashKey !== after.pick(key)?.hashKey);
    assert.ok(moved.length / kept.length < 0.2, `${moved.length} of ${kept.length}`);
  });

  test(`${name}: another attempt finds another host before long`, () => {
    const balancer = create(hosts(1, 1, 1));
    for (const key of KEYS.slice(0, 50)) {
      const found = new Set(Array.from({ length: 12 }, (_, attempt) => balancer.pick(key, attempt)?.hashKey));
      assert.ok(found.size > 1);
    }
  });

  test(`${name}: a request without hash is served`, () => assert.ok(create(hosts(1, 1)).pick() !== undefined));
}

test("a ring gives the lightest host a whole number of points and reaches its minimum", () => {
  const ring = buildRing(hosts(1, 2), { ...RING, minimumRingSize: 10 });
  const points = hosts(1, 2).map(({ hashKey }) => ring.filter(({ host }) => host.hashKey === hashKey).length);
  assert.deepEqual(points, [4, 8]);
});

test("a ring does not outgrow its maximum", () => {
  assert.equal(buildRing(hosts(1, 1, 1, 1), { ...RING, minimumRingSize: 1, maximumRingSize: 2 }).length, 2);
});

test("a Maglev table is full, and its turns follow the weights", () => {
  const table = buildMaglevTable(hosts(1, 3), 251);
  assert.equal(table.length, 251);
  const light = table.filter((host) => host.weight === 1).length;
  assert.ok(Math.abs(light / 251 - 0.25) < 0.02, `${light}`);
});

function hosts(...weights: readonly number[]): readonly TestHost[] {
  return weights.map((weight, index) => ({ weight, active: 0, hashKey: `10.0.0.${index}:80` }));
}

function shares(balancer: Balancer<TestHost>): readonly number[] {
  const counts = new Map<string, number>();
  for (const key of KEYS) {
    const name = balancer.pick(key)?.hashKey ?? "none";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, n]) => n / KEYS.length);
}
