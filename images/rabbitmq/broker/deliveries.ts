/** What a channel has given out and nobody has acknowledged yet: delivery tags to entries, in order. */
import { Failure } from "./failure.ts";
import type { Entry, Queue } from "./queue.ts";

export interface Delivery {
  readonly queue: Queue;
  readonly entry: Entry;
  /** The consumer's count of outstanding deliveries; none for basic.get. */
  readonly slot: { unacked: number } | undefined;
}

export interface Deliveries {
  readonly size: number;
  /** Gives the delivery its tag; with `noAck` it is not outstanding. */
  number(delivery: Delivery, noAck: boolean): number;
  /** The deliveries a tag means, in order; they are no longer outstanding. */
  settle(tag: number, multiple: boolean): readonly Delivery[];
}

export function createDeliveries(): Deliveries {
  const unacked = new Map<number, Delivery>();
  let nextTag = 1;
  return {
    get size() {
      return unacked.size;
    },
    number(delivery, noAck) {
      const tag = nextTag++;
      if (noAck) return tag;
      unacked.set(tag, delivery);
      if (delivery.slot !== undefined) delivery.slot.unacked += 1;
      return tag;
    },
    settle(tag, multiple) {
      if (!unacked.has(tag) && !(multiple && tag === 0))
        throw new Failure("PRECONDITION_FAILED", `unknown delivery tag ${tag}`);
      const settled: Delivery[] = [];
      const take = (each: number) => {
        const delivery = unacked.get(each);
        if (delivery === undefined) return;
        unacked.delete(each);
        if (delivery.slot !== undefined) delivery.slot.unacked -= 1;
        settled.push(delivery);
      };
      if (!multiple) take(tag);
      else
        for (const each of unacked.keys()) {
          if (tag !== 0 && each > tag) break;
          take(each);
        }
      return settled;
    },
  };
}

/** Back to their queues, each queue's together. */
export function requeue(deliveries: readonly Delivery[]): void {
  const byQueue = new Map<Queue, Entry[]>();
  for (const { queue, entry } of deliveries) byQueue.set(queue, [...(byQueue.get(queue) ?? []), entry]);
  for (const [queue, entries] of byQueue) queue.requeue(entries);
}
