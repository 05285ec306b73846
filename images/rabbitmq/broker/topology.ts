/**
 * Exchanges and their bindings: which there are, what is written down of them, and which queues a message reaches. Queues are somebody else's; here they are
 * names that may be bound.
 */
import { type Table, textOf } from "../amqp/values.ts";
import { assertEquivalent, assertSameArguments } from "./arguments.ts";
import { type Binding, type Destination, type Exchange, isExchangeType, isSameBinding, route } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { JournalRecord } from "./journal-record.ts";
import type { Message, Queue } from "./queue.ts";

export interface DeclareExchange {
  readonly exchange: string;
  readonly type: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Table;
}

export interface Topology {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  /** Throws NOT_FOUND. */
  exchange(name: string): Exchange;
  declare(wanted: DeclareExchange): void;
  delete(name: string, ifUnused: boolean): void;
  bind(binding: Binding): void;
  unbind(binding: Binding): void;
  /** The queue of this name is gone. */
  forgetQueue(name: string): void;
  /** The queues a message reaches, through exchanges bound to exchanges and alternate exchanges, each once. */
  destinationsOf(message: Message): readonly Queue[];
  /** As declared before, without writing it down again. */
  restore(settings: ExchangeSettings): void;
}

type ExchangeSettings = Pick<Exchange, "name" | "type" | "durable"> &
  Partial<Pick<Exchange, "autoDelete" | "internal" | "args">>;

const BUILT_IN: readonly (readonly [string, Exchange["type"]])[] = [
  ["", "direct"],
  ["amq.direct", "direct"],
  ["amq.fanout", "fanout"],
  ["amq.topic", "topic"],
  ["amq.headers", "headers"],
  ["amq.match", "headers"],
];

export function createTopology(queues: ReadonlyMap<string, Queue>, write: (record: JournalRecord) => void): Topology {
  const exchanges = new Map<string, Exchange>(
    BUILT_IN.map(([name, type]) => [name, newExchange({ name, type, durable: true })]),
  );

  const exchangeOf = (name: string): Exchange => {
    const exchange = exchanges.get(name);
    if (exchange === undefined) throw new Failure("NOT_FOUND", `no exchange '${name}' in vhost '/'`);
    return exchange;
  };

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

  const removeBindings = (fits: (binding: Binding) => boolean) => {
    for (const exchange of [...exchanges.values()]) {
      for (const binding of exchange.bindings.filter(fits)) removeBinding(exchange, binding);
    }
  };
  const removeBinding = (exchange: Exchange, binding: Binding) => {
    const at = exchange.bindings.findIndex((each) => isSameBinding(each, binding));
    if (at === -1) return;
    exchange.bindings.splice(at, 1);
    if (isDurable(binding)) write({ kind: "unbound", binding });
    if (exchange.autoDelete && exchange.bindings.length === 0) removeExchange(exchange);
  };
  const removeExchange = (exchange: Exchange) => {
    if (!exchanges.delete(exchange.name)) return;
    if (exchange.durable) write({ kind: "exchange-deleted", name: exchange.name });
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
  return {
    exchanges,
    exchange: exchangeOf,
    destinationsOf,
    restore: (settings) => void exchanges.set(settings.name, newExchange(settings)),
    forgetQueue: (name) =>
      removeBindings((binding) => binding.destination.kind === "queue" && binding.destination.name === name),
    declare({ exchange: name, type, passive, durable, autoDelete, internal, arguments: args }) {
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
      if (durable) write({ kind: "exchange", name, type, autoDelete, internal, args });
    },
    delete(name, ifUnused) {
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
    bind(binding) {
      const { kind, name } = binding.destination;
      const source = exchangeOf(binding.source);
      if (binding.source === "" || (kind === "exchange" && name === ""))
        throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      if (kind === "exchange") exchangeOf(name);
      if (source.bindings.some((each) => isSameBinding(each, binding))) return;
      source.bindings.push(binding);
      if (isDurable(binding)) write({ kind: "bound", binding });
    },
    unbind(binding) {
      if (binding.source === "") throw new Failure("ACCESS_REFUSED", "operation not permitted on the default exchange");
      const source = exchanges.get(binding.source);
      if (source !== undefined) removeBinding(source, binding);
    },
  };
}

function newExchange(settings: ExchangeSettings): Exchange {
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
