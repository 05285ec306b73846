/**
 * Level-triggered reconciliation: changes of collections become keys, a key is reconciled by one worker at a time, a failure is
 * retried with back-off, an outcome may ask to be called again later. The state is read from the collections, never from the event.
 */
import { type BackoffPolicy, type Clock, createWorkQueue, describeError, type Logger } from "@argyle/core";
import { isConflict, isUnreachable } from "./errors.ts";
import type { Collection } from "./keyed-store.ts";

export interface ReconcileOutcome {
  readonly requeueAfterMs?: number;
}

export interface ReconcilerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileOutcome | undefined>;
  readonly random?: () => number;
  readonly concurrency?: number;
  readonly backoff?: BackoffPolicy;
  /** See WorkQueueOptions: for a status that sums up many objects. */
  readonly restMs?: number;
}

export interface Reconciler {
  enqueue(key: string): void;
  /** Enqueues the keys of every change; for a modified object those of both its states. */
  watch<T>(collection: Collection<T>, keysOf: (object: T) => readonly string[]): void;
  /** Keys that wait or are being worked on. */
  size(): number;
  close(): Promise<void>;
}

const BACKOFF: BackoffPolicy = { baseMs: 10, maxMs: 10_000 };

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const log = options.log.scope(options.name);
  const unsubscribes: (() => void)[] = [];
  const queue = createWorkQueue({
    clock: options.clock,
    work: options.reconcile,
    onError(key, thrown, retryInMs) {
      const fields = { key, retryInMs: Math.round(retryInMs), error: describeError(thrown) };
      // Lost races and an absent server are the everyday case: the retry is the answer.
      if (isConflict(thrown) || isUnreachable(thrown)) log.debug("will reconcile again", fields);
      else log.warn("reconcile failed", fields);
    },
    backoff: options.backoff ?? BACKOFF,
    ...(options.random === undefined ? {} : { random: options.random }),
    ...(options.restMs === undefined ? {} : { restMs: options.restMs }),
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
  });
  return {
    enqueue: queue.add,
    watch(collection, keysOf) {
      unsubscribes.push(
        collection.onChange((change) => {
          for (const key of keysOf(change.object)) queue.add(key);
          if (change.type === "MODIFIED") for (const key of keysOf(change.old)) queue.add(key);
        }),
      );
    },
    size: queue.size,
    close() {
      for (const unsubscribe of unsubscribes) unsubscribe();
      return queue.close();
    },
  };
}
