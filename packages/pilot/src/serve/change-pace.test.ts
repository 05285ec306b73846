import assert from "node:assert/strict";
import test from "node:test";
import { createFakeClock, settle } from "@argyle/testkit";
import { ENDPOINT_TYPE } from "@argyle/xds";
import { createChangePace } from "./change-pace.ts";

/** A pace whose every round takes `roundMs`, and what the rounds saw: `[at, changes]`. */
function paced(roundMs: number) {
  const fake = createFakeClock();
  let extra = 0;
  const clock = { ...fake, monotonic: () => fake.monotonic() + extra };
  const rounds: (readonly [number, number])[] = [];
  const pace = createChangePace({
    clock,
    round(changes) {
      rounds.push([fake.monotonic(), changes.length]);
      extra += roundMs;
    },
  });
  const change = (...types: string[]) => pace.changed({ typeUrls: new Set(types), affects: () => true });
  return { fake, pace, rounds, change };
}

test("a single change is taken up in the same turn", async () => {
  const { rounds, change } = paced(5);
  change("cds");
  await settle();
  assert.deepEqual(rounds, [[0, 1]]);
});

test("changes of the same types during a burst are one, after a rest in proportion to the last round", async () => {
  const { fake, rounds, change } = paced(5);
  change("cds");
  await settle();
  for (let i = 0; i < 10; i++) {
    change("cds", "eds");
    change("rds");
    await fake.advance(1);
  }
  await fake.advance(10);
  assert.deepEqual(rounds, [
    [0, 1],
    [15, 2],
  ]);
});

test("the rest ends after a tenth of a second, however long the round was", async () => {
  const { fake, rounds, change } = paced(400);
  change("cds");
  await settle();
  change("cds");
  await fake.advance(99);
  assert.equal(rounds.length, 1);
  await fake.advance(2);
  assert.equal(rounds.length, 2);
});

test("what was sent for a round counts as the round's work", async () => {
  const { fake, pace, rounds, change } = paced(1);
  change("cds");
  await settle();
  pace.worked(9);
  change("cds");
  await fake.advance(29);
  assert.equal(rounds.length, 1);
  await fake.advance(2);
  assert.equal(rounds.length, 2);
});

const ENDPOINTS = [ENDPOINT_TYPE];
const restCases: readonly { readonly roundMs: number; readonly types: readonly string[]; readonly restMs: number }[] = [
  { roundMs: 5, types: ENDPOINTS, restMs: 30 },
  { roundMs: 100, types: ENDPOINTS, restMs: 250 },
  { roundMs: 5, types: ["lds", ...ENDPOINTS], restMs: 15 },
  { roundMs: 100, types: ["lds"], restMs: 100 },
];
for (const { roundMs, types, restMs } of restCases)
  test(`after several changes that took ${roundMs} ms, ${types.length} types wait for ${restMs} ms`, async () => {
    const { fake, rounds, change } = paced(roundMs);
    change("cds");
    change("cds");
    await settle();
    // Waits already, for longer.
    change(...ENDPOINTS);
    change(...types);
    await fake.advance(restMs - 1);
    assert.equal(rounds.length, 1);
    await fake.advance(2);
    assert.equal(rounds.length, 2);
  });

test("nothing happens after the end", async () => {
  const { fake, pace, rounds, change } = paced(1);
  change("cds");
  pace.close();
  await settle();
  await fake.advance(1000);
  assert.deepEqual(rounds, []);
});
