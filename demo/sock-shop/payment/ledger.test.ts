import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Ledger, openLedger, type Payment } from "./ledger.ts";

const authorised: Payment = { amount: 12.5, state: "authorised" };

function scratch(t: TestContext): { readonly file: string; open(capacity?: number): Ledger } {
  const dir = mkdtempSync(join(tmpdir(), "ag-pay-"));
  const file = join(dir, "sub/ledger");
  const opened: Ledger[] = [];
  t.after(() => {
    for (const ledger of opened) ledger.close();
    rmSync(dir, { recursive: true });
  });
  return {
    file,
    open(capacity) {
      const ledger = openLedger(file, capacity);
      opened.push(ledger);
      return ledger;
    },
  };
}

test("remembers the last word on each key, in the next process too", (t) => {
  const { open } = scratch(t);
  const first = open();
  first.record("a", authorised);
  first.record("b", { amount: 200, state: "declined" });
  first.record("a", { amount: 12.5, state: "voided" });
  // No close: as after kill -9.
  const second = open();
  assert.deepEqual(
    [second.find("a"), second.find("b"), second.find("c")],
    [{ amount: 12.5, state: "voided" }, { amount: 200, state: "declined" }, undefined],
  );
});

test("a torn last line is as if never written, and does not spoil the next", (t) => {
  const { file, open } = scratch(t);
  open().record("a", authorised);
  appendFileSync(file, "b 12.5 author");
  open().record("c", authorised);
  const last = open();
  assert.deepEqual([last.find("a"), last.find("b"), last.find("c")], [authorised, undefined, authorised]);
});

for (const where of ["in memory", "in a file"] as const) {
  test(`forgets the oldest beyond its capacity, ${where}`, (t) => {
    const ledger = where === "in memory" ? openLedger(undefined, 2) : scratch(t).open(2);
    for (const key of ["a", "b", "a", "c"]) ledger.record(key, authorised);
    assert.deepEqual([ledger.find("a"), ledger.find("b"), ledger.find("c")], [authorised, undefined, authorised]);
  });
}
