import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemorySessions } from "./store.ts";

test("a session ends when its time is up", async () => {
  let now = 0;
  const sessions = createMemorySessions(() => now);
  await sessions.save("a", { cartId: "1" }, 10);
  now = 9_999;
  assert.deepEqual(await sessions.find("a"), { cartId: "1" });
  now = 10_000;
  assert.equal(await sessions.find("a"), undefined);
});

test("the oldest session makes room for a new one", async () => {
  const sessions = createMemorySessions(() => 0, 2);
  for (const id of ["a", "b", "a", "c"]) await sessions.save(id, { cartId: id }, 10);
  assert.deepEqual(await Promise.all(["a", "b", "c"].map(async (id) => (await sessions.find(id))?.cartId)), [
    "a",
    undefined,
    "c",
  ]);
});
