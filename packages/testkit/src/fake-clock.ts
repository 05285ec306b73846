/** A clock that moves only when told to. Timers fire in order of their due time; `settle` lets promise chains run between them. */
import type { Clock } from "@argyle/core";

export interface FakeClock extends Clock {
  /** Moves time forward, firing every timer that falls due, and lets microtasks run after each. */
  advance(ms: number): Promise<void>;
  /** Timers that are armed. */
  pending(): number;
}

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let now = startMs;
  let sequence = 0;
  const timers = new Map<number, { readonly dueMs: number; readonly callback: () => void }>();
  return {
    now: () => now,
    monotonic: () => now - startMs,
    after(delayMs, callback) {
      const id = sequence++;
      timers.set(id, { dueMs: now + Math.max(0, delayMs), callback });
      return { cancel: () => void timers.delete(id) };
    },
    async advance(ms) {
      const target = now + ms;
      await settle();
      for (;;) {
        const next = [...timers]
          .filter(([, t]) => t.dueMs <= target)
          .sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b)[0];
        if (next === undefined) break;
        timers.delete(next[0]);
        now = next[1].dueMs;
        next[1].callback();
        await settle();
      }
      now = target;
    },
    pending: () => timers.size,
  };
}

/** Lets everything that is already resolvable run: microtasks and setImmediate callbacks. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
