/**
 * Writes whose effect the watch has not shown yet, per owner. Counting them as done is what keeps a controller from doing them twice.
 * An expectation is met by the first change of the object that shows it, even if the object is gone again when the owner is reconciled;
 * one that is not met within 30 s is dropped.
 */
import type { Clock } from "@argyle/core";
import type { Change } from "@argyle/kube-client";
import type { KubeObject } from "@argyle/kube-types";

export interface Expectations {
  expectCreated(owner: string, key: string): void;
  expectDeleted(owner: string, key: string): void;
  /** The write failed: nothing will come. */
  cancel(key: string): void;
  observe(change: Change<KubeObject>): void;
  pending(owner: string): { readonly created: number; readonly deleted: number };
}

export const EXPECTATION_MS = 30_000;

interface Open {
  readonly owner: string;
  readonly what: "created" | "deleted";
  readonly sinceMs: number;
}

export function createExpectations(clock: Clock): Expectations {
  const open = new Map<string, Open>();
  const expect = (what: Open["what"]) => (owner: string, key: string) =>
    void open.set(key, { owner, what, sinceMs: clock.monotonic() });
  return {
    expectCreated: expect("created"),
    expectDeleted: expect("deleted"),
    cancel: (key) => void open.delete(key),
    observe({ key, type, object }) {
      const expected = open.get(key);
      if (expected === undefined) return;
      const isGoing = type === "DELETED" || object.metadata.deletionTimestamp !== undefined;
      if (expected.what === "created" || isGoing) open.delete(key);
    },
    pending(owner) {
      const count = { created: 0, deleted: 0 };
      for (const [key, expected] of open) {
        if (expected.owner !== owner) continue;
        if (clock.monotonic() - expected.sinceMs > EXPECTATION_MS) open.delete(key);
        else count[expected.what] += 1;
      }
      return count;
    },
  };
}
