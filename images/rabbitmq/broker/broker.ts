/**
 * The state of one virtual host `/`: exchanges, bindings, queues, and the way of a message from one to the other. No I/O: time and the journal come in.
 * Failures are thrown as RabbitMQ words them; the channel that asked is closed with them.
 */
import type { Table } from "../amqp/values.ts";
import { textOf } from "../amqp/values.ts";
import { assertEquivalent, assertSameArguments, readQueueArguments } from "./arguments.ts";
import { buildDeadLetter, isCycle } from "./dead-letter.ts";
import { type Binding, type Destination, type Exchange, isExchangeType, isSameBinding, route } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { JournalRecord, KeptRecord } from "./journal-record.ts";
import { createQueue, type Entry, type Message, type Queue, type QueueEvents } from "./queue.ts";

export interface BrokerDeps {
  readonly now: () => number;
  /** Called before the effect is acknowledged to anybody. */
  readonly record?: (record: JournalRecord) => void;
}

export interface DeclareExchange {
  readonly exchange: string;
  readonly type: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Table;
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

const BUILT_IN: readonly (readonly [string, Exchange["type"]])[] = [
  ["", "direct"],
  ["amq.direct", "direct"],
  ["amq.fanout", "fanout"],
  ["amq.topic", "topic"],
  ["amq.headers", "headers"],
  ["amq.match", "headers"],
];

export function createBroker({ now, record }: BrokerDeps): Broker {
  const exchanges = new Map<string, Exchange>(
    BUILT_IN.map(([name, type]) => [name, newExchange({ name, type, durable: true })]),
  );
  const queues = new Map<string, Queue>();
  const totals: BrokerTotals = { publish: 0, confirm: 0, returnUnroutable: 0 };
  let nextSequence = 1;
  let write = record;

  const isKept = (queue: Queue, entry: Entry) => queue.durable && queue.owner === undefined && entry.message.persistent;
  const events: QueueEvents = {
    dropped(queue, entry, reason) {
      if (queue.deadLetterExchange === undefined || !exchanges.has(queue.deadLetterExchange)) return;
      const message = buildDeadLetter(entry.message, queue, reason, now());
      deliverTo(destinationsOf(message), message, (each) => reason !== "rejected" && isCycle(message, each.name));
    },
    delivered(queue, entry) {
      if (!entry.redelivered && isKept(queue, entry))
        write?.({ kind: "delivered", queue: queue.name, sequence: entry.sequence });
    },
    removed(queue, entry) {
      if (isKept(queue, entry)) write?.({ kind: "removed", queue: queue.name, sequence: entry.sequence });
    },
  };

  const exchangeOf = (name: string): Exchange => {
    const exchange = exchanges.get(name);
    if (exchange === undefined) throw new Failure("NOT_FOUND", `no exchange '${name}' in vhost '/'`);
    return exchange;
  };

  /** The queues a message reaches, through exchanges bound to exchanges and alternate exchanges, each once. */
  const destinationsOf = (message: Message): readonly Queue[] => {
    const found = new Set<Queue>();
    const seen = new Set<string>();
    const visit = (exchange: Exchange | undefined) => {
      if (exchange === undefined || seen.has(exchange.name)) return;
      seen.add(exchange.name);
      exchange.publishedIn += 1;
      const next: readonly Destination[] =
        exchange.name === ""
          ? queues.has(message.routingKey)
            ? [{ kind: "queue", name: message.routingKey }]
            : []
          : route(exchange, message.routingKey, message.headers);
      for (const { kind, name } of next) {
        if (kind === "exchange") visit(exchanges.get(name));
        else {
          const queue = queues.get(name);
          if (queue !== undefined) found.add(queue);
        }
      }
      exchange.publishedOut += next.length;
      if (next.length === 0) visit(exchanges.get(textOf(exchange.args.get("alternate-exchange")) ?? "\0"));
    };
    visit(exchanges.get(message.exchange));
    return [...found];
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

  const removeBindings = (fits: (binding: Binding) => boolean) => {
    for (const exchange of [...exchanges.values()]) {
      for (const binding of exchange.bindings.filter(fits)) removeBinding(exchange, binding);
    }
  };
  const removeBinding = (exchange: Exchange, binding: Binding) => {
    const at = exchange.bindings.findIndex((each) => isSameBinding(each, binding));
    if (at === -1) return;
    exchange.bindings.splice(at, 1);
    if (isDurable(binding)) write?.({ kind: "unbound", binding });
    if (exchange.autoDelete && exchange.bindings.length === 0) removeExchange(exchange);
  };
  const removeExchange = (exchange: Exchange) => {
    if (!exchanges.delete(exchange.name)) return;
    if (exchange.durable) write?.({ kind: "exchange-deleted", name: exchange.name });
    removeBindings((binding) => binding.destination.kind === "exchange" && binding.destination.name === exchange.name);
  };
  const isDurable = (binding: Binding): boolean => {
    if (exchanges.get(binding.source)?.durable !== true) return false;
    const { kind, name } = binding.destination;
    const queue = queues.get(name);
    return kind === "exchange"
      ? exchanges.get(name)?.durable === true
      : queue?.durable === true && queue.owner === undefined;
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
    declareExchange({ exchange: name, type, passive, durable, autoDelete, internal, arguments: args }) {
      if (!passive && !isExchangeType(type)) throw new Failure("COMMAND_INVALID", `unknown exchange type '${type}'`);
      const current = passive ? exchangeOf(name) : exchanges.get(name);
      if (name === "" && !passive)
        throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      if (passive) return;
      if (current !== undefined) {
        const what = `exchange '${name}'`;
        assertEquivalent(
          what,
          { type, durable, auto_delete: autoDelete, internal },
          {
            type: current.type,
            durable: current.durable,
            auto_delete: current.autoDelete,
            internal: current.internal,
          },
        );
        assertSameArguments(what, args, current.args, ["alternate-exchange"]);
        return;
      }
      if (name.startsWith("amq."))
        throw new Failure("ACCESS_REFUSED", `exchange name '${name}' contains reserved prefix 'amq.*'`);
      if (!isExchangeType(type)) return;
      exchanges.set(name, newExchange({ name, type, durable, autoDelete, internal, args }));
      if (durable) write?.({ kind: "exchange", name, type, autoDelete, internal, args });
    },
    deleteExchange(name, ifUnused) {
      if (name === "") throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      if (name.startsWith("amq."))
        throw new Failure("ACCESS_REFUSED", `deletion of system exchange '${name}' in vhost '/' not allowed`);
      const exchange = exchanges.get(name);
      if (exchange === undefined) return;
      if (ifUnused && exchange.bindings.length > 0)
        throw new Failure("PRECONDITION_FAILED", `exchange '${name}' in vhost '/' in use`);
      for (const binding of [...exchange.bindings]) removeBinding(exchange, binding);
      removeExchange(exchange);
    },
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
      removeBindings((binding) => binding.destination.kind === "queue" && binding.destination.name === queue.name);
      if (queue.durable && queue.owner === undefined) write?.({ kind: "queue-deleted", name: queue.name });
      for (const consumer of [...queue.consumers]) {
        queue.cancel(consumer);
        consumer.cancelled();
      }
    },
    bind(binding) {
      const { kind, name } = binding.destination;
      const source = exchangeOf(binding.source);
      if (binding.source === "" || (kind === "exchange" && name === ""))
        throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      if (kind === "exchange") exchangeOf(name);
      if (source.bindings.some((each) => isSameBinding(each, binding))) return;
      source.bindings.push(binding);
      if (isDurable(binding)) write?.({ kind: "bound", binding });
    },
    unbind(binding) {
      if (binding.source === "") throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      const source = exchanges.get(binding.source);
      if (source !== undefined) removeBinding(source, binding);
    },
    publish(message) {
      const exchange = exchangeOf(message.exchange);
      if (exchange.internal)
        throw new Failure("ACCESS_REFUSED", `cannot publish to internal exchange '${exchange.name}' in vhost '/'`);
      totals.publish += 1;
      return deliverTo(destinationsOf(message), message, () => false);
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
        exchanges.set(kept.name, newExchange({ ...kept, durable: true }));
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

function newExchange(
  settings: Pick<Exchange, "name" | "type" | "durable"> & Partial<Pick<Exchange, "autoDelete" | "internal" | "args">>,
): Exchange {
  return {
    autoDelete: false,
    internal: false,
    args: new Map(),
    ...settings,
    bindings: [],
    publishedIn: 0,
    publishedOut: 0,
  };
}
