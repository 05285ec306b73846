/**
 * One queue: messages ready in order of arrival, those with consumers until acknowledged, and who is served next (round robin among those that can take one).
 * A message that comes back takes its old place. Limits and lifetimes: https://www.rabbitmq.com/docs/ttl and https://www.rabbitmq.com/docs/maxlength
 */
import type { Table } from "../amqp/values.ts";

export interface Message {
  readonly exchange: string;
  readonly routingKey: string;
  /** As they came. */
  readonly properties: Buffer;
  readonly body: Buffer;
  readonly persistent: boolean;
  readonly headers: Table;
  /** The publisher's own time to live. */
  readonly ttlMs?: number;
}

export interface Entry {
  /** Order in the queue, also its name in the journal. */
  readonly sequence: number;
  readonly message: Message;
  readonly expiresAtMs: number | undefined;
  redelivered: boolean;
}

export interface Consumer {
  readonly tag: string;
  /** The connection and channel it is on, for the management API. */
  readonly channelName: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly args: Table;
  readonly prefetch: number;
  /** False while its prefetch is used up or its client does not read. */
  canTake(): boolean;
  deliver(entry: Entry): void;
  /** The queue is gone. */
  cancelled(): void;
}

export type DropReason = "expired" | "maxlen" | "rejected";

export interface QueueStats {
  publish: number;
  deliver: number;
  deliverNoAck: number;
  get: number;
  getNoAck: number;
  redeliver: number;
  ack: number;
}

export interface QueueSettings {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection whose own it is. */
  readonly owner: object | undefined;
  readonly args: Table;
  readonly ttlMs?: number | undefined;
  readonly expiresMs?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly rejectsPublish?: boolean;
  readonly deadLetterExchange?: string | undefined;
  readonly deadLetterRoutingKey?: string | undefined;
}

export interface QueueEvents {
  /** Out of the queue without an acknowledgement. */
  dropped(queue: Queue, entry: Entry, reason: DropReason): void;
  /** Gone for good: acknowledged or dropped. */
  removed(queue: Queue, entry: Entry): void;
  delivered(queue: Queue, entry: Entry): void;
}

export interface Queue extends QueueSettings {
  readonly consumers: readonly Consumer[];
  readonly stats: QueueStats;
  readonly readyCount: number;
  readonly readyBytes: number;
  readonly unackedCount: number;
  readonly unackedBytes: number;
  readonly usedAtMs: number;
  /** Every message, ready or not, in order. */
  entries(): readonly Entry[];
  add(entry: Entry): void;
  /** The next ready message, or undefined; the caller settles it unless noAck. */
  get(noAck: boolean): Entry | undefined;
  acknowledge(entry: Entry): void;
  /** False when the queue is gone already. */
  requeue(entries: readonly Entry[]): void;
  reject(entry: Entry): void;
  consume(consumer: Consumer): void;
  /** True when it was one of its consumers. */
  cancel(consumer: Consumer): boolean;
  purge(): number;
  dispatch(): void;
  expire(): void;
  isFull(extraBytes: number): boolean;
}

export function createQueue(settings: QueueSettings, now: () => number, events: QueueEvents): Queue {
  let ready: Entry[] = [];
  let head = 0;
  let readyBytes = 0;
  let unackedBytes = 0;
  let usedAtMs = now();
  let isDispatching = false;
  const unacked = new Set<Entry>();
  const consumers: Consumer[] = [];
  const stats: QueueStats = { publish: 0, deliver: 0, deliverNoAck: 0, get: 0, getNoAck: 0, redeliver: 0, ack: 0 };

  const count = () => ready.length - head;
  const takeHead = (): Entry | undefined => {
    const entry = ready[head];
    if (entry === undefined) return undefined;
    head += 1;
    if (head > 1024 && head * 2 > ready.length) {
      ready = ready.slice(head);
      head = 0;
    }
    readyBytes -= entry.message.body.length;
    return entry;
  };
  const drop = (entry: Entry, reason: DropReason) => {
    events.dropped(queue, entry, reason);
    events.removed(queue, entry);
  };
  const expire = () => {
    // As in RabbitMQ only the head is looked at: a message behind one that lives longer waits for it.
    for (let entry = ready[head]; entry !== undefined; entry = ready[head]) {
      if (entry.expiresAtMs === undefined || entry.expiresAtMs > now()) return;
      takeHead();
      drop(entry, "expired");
    }
  };
  const isOver = (extra: number, extraBytes: number) =>
    (settings.maxLength !== undefined && count() + extra > settings.maxLength) ||
    (settings.maxBytes !== undefined && readyBytes + extraBytes > settings.maxBytes);
  const hold = (entry: Entry) => {
    unacked.add(entry);
    unackedBytes += entry.message.body.length;
  };
  const release = (entry: Entry): boolean => {
    if (!unacked.delete(entry)) return false;
    unackedBytes -= entry.message.body.length;
    return true;
  };
  const handOver = (entry: Entry, noAck: boolean) => {
    if (entry.redelivered) stats.redeliver += 1;
    if (noAck) events.removed(queue, entry);
    else {
      hold(entry);
      events.delivered(queue, entry);
    }
  };
  const dispatch = () => {
    if (isDispatching) return;
    isDispatching = true;
    try {
      for (;;) {
        expire();
        if (count() === 0) return;
        const index = consumers.findIndex((consumer) => consumer.canTake());
        const consumer = consumers[index];
        const entry = consumer === undefined ? undefined : takeHead();
        if (consumer === undefined || entry === undefined) return;
        consumers.splice(index, 1);
        consumers.push(consumer);
        if (consumer.noAck) stats.deliverNoAck += 1;
        else stats.deliver += 1;
        handOver(entry, consumer.noAck);
        consumer.deliver(entry);
      }
    } finally {
      isDispatching = false;
    }
  };

  const queue: Queue = {
    ...settings,
    consumers,
    stats,
    get readyCount() {
      return count();
    },
    get readyBytes() {
      return readyBytes;
    },
    get unackedCount() {
      return unacked.size;
    },
    get unackedBytes() {
      return unackedBytes;
    },
    get usedAtMs() {
      return usedAtMs;
    },
    entries: () => [...unacked, ...ready.slice(head)].sort((a, b) => a.sequence - b.sequence),
    add(entry) {
      stats.publish += 1;
      ready.push(entry);
      readyBytes += entry.message.body.length;
      dispatch();
      while (isOver(0, 0)) {
        const oldest = takeHead();
        if (oldest === undefined) break;
        drop(oldest, "maxlen");
      }
    },
    get(noAck) {
      usedAtMs = now();
      expire();
      const entry = takeHead();
      if (entry === undefined) return undefined;
      if (noAck) stats.getNoAck += 1;
      else stats.get += 1;
      handOver(entry, noAck);
      return entry;
    },
    acknowledge(entry) {
      if (!release(entry)) return;
      stats.ack += 1;
      events.removed(queue, entry);
    },
    requeue(entries) {
      for (const entry of entries) {
        if (!release(entry)) continue;
        entry.redelivered = true;
        let at = head;
        while (at < ready.length && (ready[at]?.sequence ?? 0) < entry.sequence) at += 1;
        ready.splice(at, 0, entry);
        readyBytes += entry.message.body.length;
      }
      dispatch();
    },
    reject(entry) {
      if (release(entry)) drop(entry, "rejected");
    },
    consume(consumer) {
      usedAtMs = now();
      consumers.push(consumer);
      dispatch();
    },
    cancel(consumer) {
      usedAtMs = now();
      const index = consumers.indexOf(consumer);
      if (index !== -1) consumers.splice(index, 1);
      return index !== -1;
    },
    purge() {
      const purged = ready.slice(head);
      ready = [];
      head = 0;
      readyBytes = 0;
      for (const entry of purged) events.removed(queue, entry);
      return purged.length;
    },
    dispatch,
    expire,
    isFull: (extraBytes) => settings.rejectsPublish === true && isOver(1, extraBytes),
  };
  return queue;
}
