/** Exchanges and how each type chooses among its bindings. Pure. https://www.rabbitmq.com/tutorials/amqp-concepts#exchanges */
import type { Table, Value } from "../amqp/values.ts";
import { isSameTable, textOf } from "../amqp/values.ts";

export const EXCHANGE_TYPES = ["direct", "fanout", "topic", "headers"] as const;
export type ExchangeType = (typeof EXCHANGE_TYPES)[number];

export interface Destination {
  readonly kind: "queue" | "exchange";
  readonly name: string;
}

export interface Binding {
  readonly source: string;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly args: Table;
}

export interface Exchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly args: Table;
  readonly bindings: Binding[];
  publishedIn: number;
  publishedOut: number;
}

export function isExchangeType(type: string): type is ExchangeType {
  return (EXCHANGE_TYPES as readonly string[]).includes(type);
}

export function isSameBinding(a: Binding, b: Binding): boolean {
  return (
    a.source === b.source &&
    a.destination.kind === b.destination.kind &&
    a.destination.name === b.destination.name &&
    a.routingKey === b.routingKey &&
    isSameTable(a.args, b.args)
  );
}

/** Where a message goes from this exchange; each destination once. */
export function route(exchange: Exchange, routingKey: string, headers: Table): readonly Destination[] {
  const found = new Map<string, Destination>();
  for (const binding of exchange.bindings) {
    if (isMatch(exchange.type, binding, routingKey, headers))
      found.set(`${binding.destination.kind} ${binding.destination.name}`, binding.destination);
  }
  return [...found.values()];
}

function isMatch(type: ExchangeType, binding: Binding, routingKey: string, headers: Table): boolean {
  switch (type) {
    case "fanout":
      return true;
    case "direct":
      return binding.routingKey === routingKey;
    case "topic":
      return isTopicMatch(wordsOf(binding.routingKey), wordsOf(routingKey));
    case "headers":
      return isHeadersMatch(binding.args, headers);
  }
}

/** An empty key has no words, not one empty word. */
function wordsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}

/** `*` is one word, `#` any number of words. */
export function isTopicMatch(pattern: readonly string[], words: readonly string[]): boolean {
  // One row of the usual table: reach[j] says whether the pattern so far can end at word j.
  let reach = words.map(() => false);
  reach = [true, ...reach];
  for (const part of pattern) {
    const next = reach.map(() => false);
    for (let j = 0; j <= words.length; j += 1) {
      if (part === "#") next[j] = reach[j] === true || (j > 0 && next[j - 1] === true);
      else next[j] = j > 0 && reach[j - 1] === true && (part === "*" || part === words[j - 1]);
    }
    reach = next;
  }
  return reach[words.length] === true;
}

/** `x-match`: all (default) or any, leaving out headers that begin with x-; the -with-x forms count those too. A void argument asks for presence only. */
function isHeadersMatch(args: Table, headers: Table): boolean {
  const mode = textOf(args.get("x-match")) ?? "all";
  const withX = mode.endsWith("-with-x");
  const wanted = [...args].filter(([name]) => name !== "x-match" && (withX || !name.startsWith("x-")));
  const fits = ([name, value]: readonly [string, Value]) => {
    const actual = headers.get(name);
    if (actual === undefined) return false;
    return value.type === "V" || isSameTable(new Map([["v", value]]), new Map([["v", actual]]));
  };
  return mode.startsWith("any") ? wanted.some(fits) : wanted.every(fits);
}
