/**
 * The state of one virtual host `/`: its topology, its queues, and the way of a message into them. No I/O: time and the journal come in.
 * Failures are thrown as RabbitMQ words them; the channel that asked is closed with them.
 */
import type { Table } from "../amqp/values.ts";
import { assertEquivalent, assertSameArguments, readQueueArguments } from "./arguments.ts";
import { buildDeadLetter, isCycle } from "./dead-letter.ts";
import type { Binding, Exchange } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { JournalRecord, KeptRecord } from "./journal-record.ts";
import { createQueue, type Entry, type Message, type Queue, type QueueEvents } from "./queue.ts";
import { createTopology, type DeclareExchange } from "./topology.ts";

export interface BrokerDeps {
  readonly now: () => number;
  /** Called before the effect is acknowledged to anybody. */
  readonly record?: (record: JournalRecord) => void;
}

export interface DeclareQueue {
  readonly queue: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Table;
}

/** What became of a published message: to how many queues, and whether a full one refused it. */
export interface Published {
  readonly queues: number;
  readonly refused: boolean;
}

export interface Broker {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, Queue>;
  readonly totals: BrokerTotals;
  declareExchange(wanted: DeclareExchange): void;
  deleteExchange(name: string, ifUnused: boolean): void;
  declareQueue(wanted: DeclareQueue, owner: object): Queue;
  /** Throws NOT_FOUND, or RESOURCE_LOCKED when it is another connection's own. */
  queue(name: string, owner: object): Queue;
  deleteQueue(queue: Queue): void;
  bind(binding: Binding): void;
  unbind(binding: Binding): void;
  publish(message: Message): Published;
  /** A consumer left: an auto-delete queue without consumers goes too. */
  consumerLeft(queue: Queue): void;
  /** The connection is gone, and with it the queues of its own. */
  connectionLeft(owner: object): void;
  /** Lifetimes of messages and queues. */
  tick(): void;
  /** Takes up what a journal tells, without writing it down again. */
  restore(record: KeptRecord): void;
}

export interface BrokerTotals {
  publish: number;
  confirm: number;
  returnUnroutable: number;
}

export function createBroker({ now, record }: BrokerDeps): Broker {
  const queues = new Map<string, Queue>();
  const topology = createTopology(queues, (entry) => write?.(entry));
  const { exchanges } = topology;
  const totals: BrokerTotals = { publish: 0, confirm: 0, returnUnroutable: 0 };
  let nextSequence = 1;
  let write = record;

  const isKept = (queue: Queue, entry: Entry) => queue.durable && queue.owner === undefined && entry.message.persistent;
  const events: QueueEvents = {
    dropped(queue, entry, reason) {
      if (queue.deadLetterExchange === undefined || !exchanges.has(queue.deadLetterExchange)) return;
      const message = buildDeadLetter(entry.message, queue, reason, now());
      deliverTo(
        topology.destinationsOf(message),
        message,
        (each) => reason !== "rejected" && isCycle(message, each.name),
      );
    },
    delivered(queue, entry) {
      if (!entry.redelivered && isKept(queue, entry))
        write?.({ kind: "delivered", queue: queue.name, sequence: entry.sequence });
    },
    removed(queue, entry) {
      if (isKept(queue, entry)) write?.({ kind: "removed", queue: queue.name, sequence: entry.sequence });
    },
  };

  const deliverTo = (targets: readonly Queue[], message: Message, skip: (queue: Queue) => boolean): Published => {
    let refused = false;
    for (const queue of targets) {
      if (skip(queue)) continue;
      if (queue.isFull(message.body.length)) {
        refused = true;
        continue;
      }
      const lives = Math.min(queue.ttlMs ?? Number.POSITIVE_INFINITY, message.ttlMs ?? Number.POSITIVE_INFINITY);
      const expiresAtMs = Number.isFinite(lives) ? now() + lives : undefined;
      const entry: Entry = { sequence: nextSequence++, message, expiresAtMs, redelivered: false };
      if (isKept(queue, entry)) {
        write?.({
          kind: "message",
          queue: queue.name,
          sequence: entry.sequence,
          expiresAtMs,
          message,
          redelivered: false,
        });
      }
      queue.add(entry);
    }
    return { queues: targets.length, refused };
  };

  const addQueue = (name: string, durable: boolean, autoDelete: boolean, args: Table, owner: object | undefined) => {
    const limits = readQueueArguments(name, args);
    const queue = createQueue({ name, durable, autoDelete, owner, args, ...limits }, now, events);
    queues.set(name, queue);
    if (durable && owner === undefined) write?.({ kind: "queue", name, autoDelete, args });
    return queue;
  };

  const broker: Broker = {
    exchanges,
    queues,
    totals,
    declareExchange: topology.declare,
    deleteExchange: topology.delete,
    bind: topology.bind,
    unbind: topology.unbind,
    declareQueue({ queue: name, passive, durable: wanted, exclusive, autoDelete, arguments: args }, owner) {
      // What belongs to a connection does not outlive it.
      const durable = wanted && !exclusive;
      const current = queues.get(name);
      if (passive || current !== undefined) {
        const queue = broker.queue(name, owner);
        if (passive) return queue;
        const what = `queue '${name}'`;
        const isOwn = queue.owner !== undefined;
        if (isOwn !== exclusive) throw lockedFailure(name);
        assertEquivalent(
          what,
          { durable, auto_delete: autoDelete },
          { durable: queue.durable, auto_delete: queue.autoDelete },
        );
        assertSameArguments(what, args, queue.args);
        return queue;
      }
      if (name.startsWith("amq.") && !name.startsWith("amq.gen-"))
        throw new Failure("ACCESS_REFUSED", `queue name '${name}' contains reserved prefix 'amq.*'`);
      return addQueue(name, durable, autoDelete, args, exclusive ? owner : undefined);
    },
    queue(name, owner) {
      const queue = queues.get(name);
      if (queue === undefined) throw new Failure("NOT_FOUND", `no queue '${name}' in vhost '/'`);
      if (queue.owner !== undefined && queue.owner !== owner) throw lockedFailure(name);
      return queue;
    },
    deleteQueue(queue) {
      if (!queues.delete(queue.name)) return;
      topology.forgetQueue(queue.name);
      if (queue.durable && queue.owner === undefined) write?.({ kind: "queue-deleted", name: queue.name });
      for (const consumer of [...queue.consumers]) {
        queue.cancel(consumer);
        consumer.cancelled();
      }
    },
    publish(message) {
      const exchange = topology.exchange(message.exchange);
      if (exchange.internal)
        throw new Failure("ACCESS_REFUSED", `cannot publish to internal exchange '${exchange.name}' in vhost '/'`);
      totals.publish += 1;
      return deliverTo(topology.destinationsOf(message), message, () => false);
    },
    consumerLeft(queue) {
      if (queue.autoDelete && queue.consumers.length === 0) broker.deleteQueue(queue);
    },
    connectionLeft(owner) {
      for (const queue of [...queues.values()]) if (queue.owner === owner) broker.deleteQueue(queue);
    },
    tick() {
      for (const queue of [...queues.values()]) {
        queue.expire();
        const isIdle = queue.expiresMs !== undefined && queue.consumers.length === 0;
        if (isIdle && now() - queue.usedAtMs >= (queue.expiresMs ?? 0)) broker.deleteQueue(queue);
      }
    },
    restore(restored) {
      // A message that has expired meanwhile leaves its mark in the journal; what is only declared again does not.
      if (restored.kind !== "message") write = undefined;
      applyRecord(restored);
      write = record;
    },
  };

  const applyRecord = (kept: KeptRecord) => {
    switch (kept.kind) {
      case "exchange":
        topology.restore({ ...kept, durable: true });
        return;
      case "queue":
        addQueue(kept.name, true, kept.autoDelete, kept.args, undefined);
        return;
      case "bound":
        broker.bind(kept.binding);
        return;
      case "message": {
        const { queue, sequence, message, expiresAtMs, redelivered } = kept;
        nextSequence = Math.max(nextSequence, sequence + 1);
        queues.get(queue)?.add({ sequence, message, expiresAtMs, redelivered });
      }
    }
  };
  return broker;
}

function lockedFailure(name: string): Failure {
  return new Failure(
    "RESOURCE_LOCKED",
    `cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
  );
}
