/** Reads the arguments that a queue is declared with, and says how a declaration differs from what exists, in RabbitMQ's words. Pure. */
import { integerOf, isSameTable, type Table, textOf, type Value } from "../amqp/values.ts";
import { Failure } from "./failure.ts";
import type { QueueSettings } from "./queue.ts";

type Limits = Omit<QueueSettings, "name" | "durable" | "autoDelete" | "owner" | "args">;

export function readQueueArguments(name: string, args: Table): Limits {
  const invalid = (argument: string, why: string) =>
    new Failure("PRECONDITION_FAILED", `invalid arg '${argument}' for queue '${name}' in vhost '/': ${why}`);
  const amount = (argument: string, least = 0): number | undefined => {
    const value = args.get(argument);
    if (value === undefined) return undefined;
    const number = integerOf(value);
    if (number === undefined) throw invalid(argument, `"expected integer, got ${typeName(value)}"`);
    if (number < least) throw invalid(argument, number === 0 ? "{value_zero,0}" : `{value_negative,${number}}`);
    return number;
  };
  const word = (argument: string): string | undefined => {
    const value = args.get(argument);
    if (value === undefined) return undefined;
    const found = textOf(value);
    if (found === undefined) throw invalid(argument, `"expected string, got ${typeName(value)}"`);
    return found;
  };
  const overflow = word("x-overflow");
  if (overflow !== undefined && !["drop-head", "reject-publish", "reject-publish-dlx"].includes(overflow)) {
    throw invalid("x-overflow", "invalid_overflow");
  }
  const deadLetterExchange = word("x-dead-letter-exchange");
  const deadLetterRoutingKey = word("x-dead-letter-routing-key");
  if (deadLetterRoutingKey !== undefined && deadLetterExchange === undefined)
    throw invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined");
  return {
    ttlMs: amount("x-message-ttl"),
    expiresMs: amount("x-expires", 1),
    maxLength: amount("x-max-length"),
    maxBytes: amount("x-max-length-bytes"),
    rejectsPublish: overflow?.startsWith("reject-publish") === true,
    deadLetterExchange,
    deadLetterRoutingKey,
  };
}

/** The time that a publisher gives a message. */
export function readExpiration(expiration: string | undefined): number | undefined {
  if (expiration === undefined) return undefined;
  if (!/^\d{1,10}$/.test(expiration))
    throw new Failure("PRECONDITION_FAILED", `invalid expiration '${expiration}': ${whyNoNumber(expiration)}`);
  return Number(expiration);
}

function whyNoNumber(text: string): string {
  const digits = /^[+-]?\d+/.exec(text)?.[0];
  if (digits === undefined) return "no_integer";
  return digits === text ? `{value_negative,${text}}` : `{leftover_string,"${text.slice(digits.length)}"}`;
}

export interface Flags {
  readonly [name: string]: boolean | string;
}

/** Throws when what is declared is not what exists. `what` is `queue 'x'` or `exchange 'x'`. */
export function assertEquivalent(what: string, received: Flags, current: Flags): void {
  for (const [name, value] of Object.entries(received)) {
    if (current[name] === value) continue;
    throw new Failure(
      "PRECONDITION_FAILED",
      `inequivalent arg '${name}' for ${what} in vhost '/': received '${value}' but current is '${current[name]}'`,
    );
  }
}

const COMPARED = [
  "x-expires",
  "x-message-ttl",
  "x-dead-letter-exchange",
  "x-dead-letter-routing-key",
  "x-max-length",
  "x-max-length-bytes",
  "x-overflow",
];

export function assertSameArguments(
  what: string,
  wanted: Table,
  existing: Table,
  names: readonly string[] = COMPARED,
): void {
  for (const name of names) {
    const a = wanted.get(name);
    const b = existing.get(name);
    if (a === undefined && b === undefined) continue;
    if (a !== undefined && b !== undefined && isSameValue(a, b)) continue;
    const [received, current] =
      a !== undefined && b !== undefined && a.type === b.type
        ? [`'${shown(a)}'`, `'${shown(b)}'`]
        : [describe(a), describe(b)];
    throw new Failure(
      "PRECONDITION_FAILED",
      `inequivalent arg '${name}' for ${what} in vhost '/': received ${received} but current is ${current}`,
    );
  }
}

/** Integers are compared as numbers, whatever their size on the wire. */
function isSameValue(a: Value, b: Value): boolean {
  const number = integerOf(a);
  if (number !== undefined) return number === integerOf(b);
  return isSameTable(new Map([["v", a]]), new Map([["v", b]]));
}

function describe(value: Value | undefined): string {
  if (value === undefined) return "none";
  return `the value '${shown(value)}' of type '${typeName(value)}'`;
}

function shown(value: Value): string {
  return String(integerOf(value) ?? textOf(value) ?? "");
}

const TYPE_NAMES: Readonly<Record<Value["type"], string>> = {
  t: "bool",
  b: "byte",
  B: "unsignedbyte",
  s: "short",
  u: "unsignedshort",
  I: "signedint",
  i: "unsignedint",
  l: "long",
  T: "timestamp",
  f: "float",
  d: "double",
  D: "decimal",
  S: "longstr",
  x: "binary",
  A: "array",
  F: "table",
  V: "void",
};

function typeName(value: Value): string {
  return TYPE_NAMES[value.type];
}
