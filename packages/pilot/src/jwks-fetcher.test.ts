import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createFakeClock, eventually } from "@argyle/testkit";
import { createJwksFetcher } from "./jwks-fetcher.ts";

function world(answer: (uri: string, call: number) => string) {
  const clock = createFakeClock();
  const calls: string[] = [];
  let held: ReadonlyMap<string, string> = new Map();
  const fetcher = createJwksFetcher({
    clock,
    log: silentLogger,
    random: () => 0,
    fetchText: async (uri) => {
      calls.push(uri);
      return answer(uri, calls.length);
    },
    onKeys: (keys) => {
      held = keys;
    },
  });
  return { clock, calls, fetcher, held: () => [...held] };
}

test("fetches what is wanted, again after 20 minutes, and forgets what is not", async (t) => {
  const { clock, calls, fetcher, held } = world((uri, call) => `${uri} ${call}`);
  t.after(() => fetcher.close());
  fetcher.follow(new Set(["http://a"]));
  await eventually("first", () => assert.deepEqual(held(), [["http://a", "http://a 1"]]));
  fetcher.follow(new Set(["http://a"]));
  assert.equal(calls.length, 1);
  await clock.advance(20 * 60_000);
  await eventually("second", () => assert.deepEqual(held(), [["http://a", "http://a 2"]]));
  fetcher.follow(new Set());
  assert.deepEqual(held(), []);
  await clock.advance(20 * 60_000);
  assert.equal(calls.length, 2);
});

test("a failure is tried again, and what was known stays", async (t) => {
  const { clock, calls, fetcher, held } = world((_uri, call) => {
    if (call === 2) throw new Error("away");
    return String(call);
  });
  t.after(() => fetcher.close());
  fetcher.follow(new Set(["http://a"]));
  await eventually("first", () => assert.deepEqual(held(), [["http://a", "1"]]));
  await clock.advance(20 * 60_000);
  await eventually("failed", () => assert.equal(calls.length, 2));
  assert.deepEqual(held(), [["http://a", "1"]]);
  await eventually("third", async () => {
    await clock.advance(1_000);
    assert.deepEqual(held(), [["http://a", "3"]]);
  });
});
