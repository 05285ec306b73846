import assert from "node:assert/strict";
import { test } from "node:test";
import { afterWrites, atTurnEnd, endTurn, gathersWrites } from "./turn-end.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

function recorder() {
  const seen: string[] = [];
  const target = (name: string, then?: () => void) => ({
    onTurnEnd() {
      seen.push(name);
      then?.();
    },
  });
  return { seen, target };
}

test("writes come before reports, each in its order, once", async () => {
  const { seen, target } = recorder();
  atTurnEnd(target("write 1"));
  afterWrites(target("report 1"));
  atTurnEnd(target("write 2"));
  afterWrites(target("report 2"));
  assert.deepEqual(seen, []);
  await nextTurn();
  assert.deepEqual(seen, ["write 1", "write 2", "report 1", "report 2"]);
  await nextTurn();
  assert.equal(seen.length, 4);
});

test("what a write or a report asks for meanwhile is done in the same turn", () => {
  const { seen, target } = recorder();
  atTurnEnd(target("link", () => atTurnEnd(target("socket"))));
  afterWrites(target("report", () => atTurnEnd(target("late write"))));
  endTurn();
  assert.deepEqual(seen, ["link", "socket", "report", "late write"]);
});

test("one that throws does not take the others with it", async () => {
  const { seen, target } = recorder();
  atTurnEnd(
    target("broken", () => {
      throw new Error("broken");
    }),
  );
  atTurnEnd(target("other"));
  assert.throws(endTurn, /broken/);
  await nextTurn();
  assert.deepEqual(seen, ["broken", "other"]);
});

test("ending a turn within its end changes nothing", () => {
  const { seen, target } = recorder();
  atTurnEnd(target("first", endTurn));
  atTurnEnd(target("second"));
  endTurn();
  assert.deepEqual(seen, ["first", "second"]);
});

test("many writes at once are gathered, until turns hold one each", () => {
  const { seen, target } = recorder();
  // Without waiting writes and not yet busy: at once.
  afterWrites(target("quiet"));
  assert.deepEqual(seen, ["quiet"]);
  let isGathering = false;
  for (let i = 0; i < 10_000 && !isGathering; i++) isGathering = gathersWrites();
  assert.equal(isGathering, true);
  afterWrites(target("busy"));
  assert.deepEqual(seen, ["quiet"]);
  endTurn();
  assert.deepEqual(seen, ["quiet", "busy"]);
  for (let turn = 0; turn < 64; turn++) {
    atTurnEnd({ onTurnEnd: () => undefined });
    endTurn();
  }
  assert.equal(gathersWrites(), false);
});
