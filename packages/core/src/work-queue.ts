/**
 * A rate-limited queue of keys, as client-go's workqueue: a key that is queued twice is worked on once, a key that is queued
 * while it is being worked on is worked on again afterwards, a failed key comes back with exponential back-off.
 * Invariant: no key is ever worked on by two workers at a time.
 */
import { type BackoffPolicy, backoffDelay } from "./backoff.ts";
import type { Clock, Timer } from "./clock.ts";

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Handles one key. `requeueAfterMs` queues it again later; a rejection queues it again with back-off. */
  readonly work: (key: string, signal: AbortSignal) => Promise<{ readonly requeueAfterMs?: number } | undefined>;
  readonly onError: (key: string, error: unknown, retryInMs: number) => void;
  readonly concurrency?: number;
  readonly backoff?: BackoffPolicy;
  readonly random?: () => number;
  /** A key is worked on at once after a quiet time, but not again before this long after its last end: what happens meanwhile is one piece of work. */
  readonly restMs?: number;
}

export interface WorkQueue {
  add(key: string): void;
  /** Keys that wait or are being worked on. */
  size(): number;
  /** Stops taking keys and resolves when the running ones have ended. */
  close(): Promise<void>;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const backoff = options.backoff ?? { baseMs: 5, maxMs: 30_000 };
  const random = options.random ?? Math.random;
  const concurrency = options.concurrency ?? 1;
  const waiting = new Set<string>();
  const running = new Set<string>();
  const dirty = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, { readonly timer: Timer; readonly dueMs: number }>();
  const endedMs = new Map<string, number>();
  const restMs = options.restMs ?? 0;
  const abort = new AbortController();
  let onIdle: (() => void) | undefined;

  const add = (key: string) => {
    if (abort.signal.aborted) return;
    if (running.has(key)) dirty.add(key);
    else enqueue(key);
    pump();
  };

  const enqueue = (key: string) => {
    const restLeftMs = (endedMs.get(key) ?? Number.NEGATIVE_INFINITY) + restMs - options.clock.monotonic();
    if (restLeftMs > 0) addAfter(key, restLeftMs);
    else waiting.add(key);
  };

  const onEnded = (key: string) => {
    if (restMs === 0) return;
    const now = options.clock.monotonic();
    // In the order of their ends: the rested ones are at the front.
    for (const [other, ended] of endedMs) {
      if (ended + restMs > now) break;
      endedMs.delete(other);
    }
    endedMs.delete(key);
    endedMs.set(key, now);
  };

  /** An earlier appointment wins over a later one: a retry must not be pushed back by a slow resync. */
  const addAfter = (key: string, delayMs: number) => {
    const dueMs = options.clock.monotonic() + delayMs;
    const planned = timers.get(key);
    if (planned !== undefined && planned.dueMs <= dueMs) return;
    planned?.timer.cancel();
    const timer = options.clock.after(delayMs, () => {
      timers.delete(key);
      add(key);
    });
    timers.set(key, { timer, dueMs });
  };

  const runOne = async (key: string) => {
    running.add(key);
    try {
      const outcome = await options.work(key, abort.signal);
      failures.delete(key);
      if (outcome?.requeueAfterMs !== undefined && !abort.signal.aborted) addAfter(key, outcome.requeueAfterMs);
    } catch (error) {
      if (!abort.signal.aborted) {
        const attempt = failures.get(key) ?? 0;
        failures.set(key, attempt + 1);
        const retryInMs = backoffDelay(backoff, attempt, random);
        options.onError(key, error, retryInMs);
        addAfter(key, retryInMs);
      }
    } finally {
      running.delete(key);
      onEnded(key);
      if (dirty.delete(key) && !abort.signal.aborted) enqueue(key);
      pump();
    }
  };

  const pump = () => {
    while (running.size < concurrency && !abort.signal.aborted) {
      const next = waiting.values().next();
      if (next.done === true) break;
      waiting.delete(next.value);
      void runOne(next.value);
    }
    if (running.size === 0) onIdle?.();
  };

  return {
    add,
    size: () => waiting.size + running.size,
    close() {
      abort.abort();
      waiting.clear();
      for (const planned of timers.values()) planned.timer.cancel();
      timers.clear();
      return new Promise((resolve) => {
        onIdle = resolve;
        if (running.size === 0) resolve();
      });
    },
  };
}
