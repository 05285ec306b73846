import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { newReplicaCount, rolloutLimits, type Share, scaleDownOld, scaleProportionally } from "./rolling.ts";

const spec = { selector: {}, template: { spec: { containers: [] } } };

const limits = [
  { name: "defaults to 25 %, surge up and unavailable down", replicas: 10, rolling: {}, want: [3, 2] },
  { name: "surges by one for a single replica", replicas: 1, rolling: {}, want: [1, 0] },
  { name: "takes numbers", replicas: 4, rolling: { maxSurge: 2, maxUnavailable: 0 }, want: [2, 0] },
  { name: "never leaves both at zero", replicas: 4, rolling: { maxSurge: 0, maxUnavailable: 0 }, want: [0, 1] },
  { name: "does not miss more than there are", replicas: 2, rolling: { maxUnavailable: 5 }, want: [1, 2] },
];
for (const c of limits) {
  test(c.name, () => {
    const { maxSurge, maxUnavailable } = rolloutLimits({
      ...spec,
      replicas: c.replicas,
      strategy: { type: "RollingUpdate", rollingUpdate: c.rolling },
    });
    assert.deepEqual([maxSurge, maxUnavailable], c.want);
  });
}

test("a rollout keeps within its limits and ends, whatever becomes ready when", async () => {
  await fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 80, maxLength: 80 }),
      (replicas, surge, unavailable, readiness) => {
        const bounds = rolloutLimits({
          ...spec,
          replicas,
          strategy: { rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
        });
        let old: Share = { name: "old", replicas, available: replicas };
        let current: Share = { name: "new", replicas: 0, available: 0 };
        for (const becameReady of [...readiness, ...Array.from({ length: 40 }, () => 3)]) {
          const size = newReplicaCount(replicas, bounds, current, [old]);
          if (size !== current.replicas) current = { ...current, replicas: size };
          else {
            const oldSize = scaleDownOld(replicas, bounds, current, [old]).get("old") ?? old.replicas;
            old = { ...old, replicas: oldSize, available: Math.min(old.available, oldSize) };
          }
          assert.ok(old.replicas + current.replicas <= replicas + bounds.maxSurge, "surge");
          assert.ok(old.available + current.available >= replicas - bounds.maxUnavailable, "availability");
          current = { ...current, available: Math.min(current.replicas, current.available + becameReady) };
        }
        assert.deepEqual([old.replicas, current.replicas], [0, replicas]);
      },
    ),
    { numRuns: 200 },
  );
});

test("removes unhealthy old pods first, beyond what availability allows", () => {
  const old = [
    { name: "broken", replicas: 2, available: 0 },
    { name: "good", replicas: 8, available: 8 },
  ];
  const sizes = scaleDownOld(10, { maxSurge: 0, maxUnavailable: 2 }, { name: "new", replicas: 0, available: 0 }, old);
  assert.deepEqual([...sizes], [["broken", 0]]);
});

test("scales in proportion and loses nothing to rounding", async () => {
  await fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 100 }),
      (sizes, wanted) => {
        const shares = sizes.map((replicas, at) => ({ name: `rs${at}`, replicas, available: replicas }));
        const scaled = scaleProportionally(wanted, shares);
        const after = shares.map((share) => scaled.get(share.name) ?? share.replicas);
        assert.equal(
          after.reduce((sum, n) => sum + n, 0),
          wanted,
        );
        assert.ok(after.every((n) => n >= 0));
      },
    ),
  );
});
