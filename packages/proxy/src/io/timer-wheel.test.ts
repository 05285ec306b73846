import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@argyle/core";
import { createFakeClock } from "@argyle/testkit";
import { createTimerWheel, WheelEntry } from "./timer-wheel.ts";

function setUp() {
  const fake = createFakeClock();
  let wakes = 0;
  const clock: Clock = {
    ...fake,
    after: (delayMs, callback, options) =>
      fake.after(
        delayMs,
        () => {
          wakes += 1;
          callback();
        },
        options,
      ),
  };
  const wheel = createTimerWheel(clock);
  const fired: { readonly name: string; readonly at: number }[] = [];
  const entry = (name: string) => new WheelEntry({ onTimer: () => void fired.push({ name, at: fake.monotonic() }) });
  return { fake, wheel, fired, entry, wakes: () => wakes };
}

test("an entry fires once, at the tick after its deadline and never before it", async () => {
  const { fake, wheel, fired, entry } = setUp();
  wheel.arm(entry("a"), 25);
  wheel.arm(entry("b"), 30);
  await fake.advance(29);
  assert.deepEqual(fired, []);
  await fake.advance(1000);
  assert.deepEqual(fired, [
    { name: "b", at: 30 },
    { name: "a", at: 30 },
  ]);
});

test("an earlier deadline shortens the sleep, a later one does not lengthen it", async () => {
  const { fake, wheel, fired, entry } = setUp();
  wheel.arm(entry("late"), 5000);
  wheel.arm(entry("soon"), 40);
  wheel.arm(entry("later"), 7000);
  await fake.advance(10_000);
  assert.deepEqual(fired, [
    { name: "soon", at: 40 },
    { name: "late", at: 5000 },
    { name: "later", at: 7000 },
  ]);
});

test("a deadline beyond a turn of the wheel waits for its own turn, and its slot is woken for once in each", async () => {
  const { fake, wheel, fired, entry, wakes } = setUp();
  wheel.arm(entry("hour"), 3_600_000);
  await fake.advance(3_599_000);
  assert.deepEqual(fired, []);
  assert.ok(wakes() <= 352, `woken ${wakes()} times`);
  await fake.advance(1000);
  assert.deepEqual(fired, [{ name: "hour", at: 3_600_000 }]);
});

test("armed again: the last deadline counts; cancelled: none", async () => {
  const { fake, wheel, fired, entry } = setUp();
  const [moved, cancelled] = [entry("moved"), entry("cancelled")];
  wheel.arm(moved, 100);
  wheel.arm(moved, 300);
  wheel.arm(cancelled, 100);
  wheel.cancel(cancelled);
  await fake.advance(1000);
  assert.deepEqual(fired, [{ name: "moved", at: 300 }]);
});

test("a callback may arm and cancel", async () => {
  const { fake, wheel, fired, entry } = setUp();
  const [second, never] = [entry("second"), entry("never")];
  const first = new WheelEntry({
    onTimer() {
      wheel.arm(second, 20);
      wheel.cancel(never);
    },
  });
  wheel.arm(never, 50);
  wheel.arm(first, 50);
  await fake.advance(1000);
  assert.deepEqual(fired, [{ name: "second", at: 70 }]);
});

test("with nothing armed, and after close, nobody wakes", async () => {
  const { fake, wheel, entry, wakes } = setUp();
  const only = entry("only");
  wheel.arm(only, 100);
  wheel.cancel(only);
  await fake.advance(60_000);
  assert.ok(wakes() <= 1);
  wheel.arm(only, 100);
  wheel.close();
  assert.equal(fake.pending(), 0);
});
