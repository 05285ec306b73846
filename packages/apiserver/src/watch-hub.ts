/**
 * Recent events in a ring, and everyone who watches. A watch from revision N sees every event after N exactly once, in order;
 * when the ring no longer reaches back to N, the watch is refused with 410 Expired and the client lists again.
 * Selectors: an object that stops matching is sent as DELETED, one that begins to match as ADDED.
 * A watcher that does not read is dropped by its sink (routes/watch.ts), never buffered without bound.
 */
import type { KubeObject } from "@argyle/kube-types";
import { expired } from "./status.ts";
import type { Store, StoreEvent } from "./storage.ts";

export interface WatchFilter {
  readonly key: string;
  readonly namespace: string | undefined;
  readonly matches: (object: KubeObject) => boolean;
}

export type WatchSink = (type: StoreEvent["type"], object: KubeObject, revision: number) => void;

export interface WatchHub {
  /** Sends what happened after `revision`, then everything new. Throws StatusError 410. Returns how to end it. */
  watch(filter: WatchFilter, revision: number, sink: WatchSink): () => void;
  watchers(): number;
}

export function createWatchHub(store: Store, capacity = 4096): WatchHub {
  const ring: StoreEvent[] = [...store.recent()].slice(-capacity);
  /** Events up to and including this revision are gone. */
  let gone = (ring[0]?.revision ?? store.revision() + 1) - 1;
  const byKey = new Map<string, Set<(event: StoreEvent) => void>>();

  store.subscribe((event) => {
    ring.push(event);
    // Cut in halves: one cheap splice per `capacity` events instead of a shift for each.
    if (ring.length > 2 * capacity) {
      gone = ring[ring.length - capacity - 1]?.revision ?? gone;
      ring.splice(0, ring.length - capacity);
    }
    const interested = byKey.get(event.key);
    if (interested !== undefined) for (const deliver of [...interested]) deliver(event);
  });

  return {
    watch(filter, revision, sink) {
      if (revision < gone || revision > store.revision()) {
        throw expired(`too old resource version: ${revision} (${gone + 1})`);
      }
      const deliver = (event: StoreEvent) => {
        if (event.key !== filter.key) return;
        if (filter.namespace !== undefined && event.object.metadata.namespace !== filter.namespace) return;
        const before = event.previous !== undefined && filter.matches(event.previous);
        if (event.type === "DELETED") {
          if (before) sink("DELETED", event.object, event.revision);
          return;
        }
        const now = filter.matches(event.object);
        if (now) sink(before ? "MODIFIED" : "ADDED", event.object, event.revision);
        else if (before) sink("DELETED", event.object, event.revision);
      };
      for (let i = firstAfter(ring, revision); i < ring.length; i++) {
        const event = ring[i];
        if (event !== undefined) deliver(event);
      }
      const set = byKey.get(filter.key) ?? new Set();
      byKey.set(filter.key, set);
      set.add(deliver);
      return () => void set.delete(deliver);
    },
    watchers: () => [...byKey.values()].reduce((sum, set) => sum + set.size, 0),
  };
}

/** Index of the first event after a revision (revisions ascend). */
function firstAfter(ring: readonly StoreEvent[], revision: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring[middle]?.revision ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
