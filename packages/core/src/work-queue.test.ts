import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock, settle } from "@argyle/testkit";
import { createWorkQueue } from "./work-queue.ts";

test("works on a key once however often it was added", async () => {
  const clock = createFakeClock();
  const worked: string[] = [];
  const queue = createWorkQueue({ clock, work: async (key) => void worked.push(key), onError: () => undefined });
  queue.add("a");
  queue.add("b");
  queue.add("b");
  await settle();
  assert.deepEqual(worked, ["a", "b"]);
  await queue.close();
});

test("works again on a key that was added while it was being worked on", async () => {
  const clock = createFakeClock();
  let release: () => void = () => undefined;
  let runs = 0;
  const queue = createWorkQueue({
    clock,
    work: async () => {
      runs += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
    onError: () => undefined,
  });
  queue.add("a");
  queue.add("a");
  assert.equal(runs, 1);
  release();
  await settle();
  assert.equal(runs, 2);
  release();
  await queue.close();
});

test("retries a failed key with growing delays and forgets them after success", async () => {
  const clock = createFakeClock();
  const delays: number[] = [];
  let failures = 3;
  const queue = createWorkQueue({
    clock,
    work: async () => {
      if (failures-- > 0) throw new Error("not yet");
    },
    onError: (_key, _error, retryInMs) => delays.push(retryInMs),
    backoff: { baseMs: 10, maxMs: 1000 },
    random: () => 1,
  });
  queue.add("a");
  await clock.advance(500);
  assert.deepEqual(delays, [10, 20, 40]);
  assert.equal(queue.size(), 0);
  await queue.close();
  assert.equal(clock.pending(), 0);
});

test("with a rest, what happens to a key shortly after its work is one more piece of work", async () => {
  const clock = createFakeClock();
  const worked: string[] = [];
  const queue = createWorkQueue({
    clock,
    restMs: 50,
    work: async (key) => void worked.push(key),
    onError: () => undefined,
  });
  queue.add("a");
  await settle();
  assert.deepEqual(worked, ["a"], "at once after a quiet time");
  queue.add("a");
  await clock.advance(20);
  queue.add("a");
  queue.add("b");
  await settle();
  assert.deepEqual(worked, ["a", "b"], "another key does not wait");
  await clock.advance(30);
  await settle();
  assert.deepEqual(worked, ["a", "b", "a"]);
  await clock.advance(1000);
  queue.add("a");
  await settle();
  assert.deepEqual(worked, ["a", "b", "a", "a"], "rested");
  await queue.close();
});
