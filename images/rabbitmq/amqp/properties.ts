/** The properties of a message (class basic): flags, then the values that are present, in this order. */
import type { ArgumentType, ArgumentTypes } from "./methods.ts";
import { readBytes, type Table, writeBytes } from "./values.ts";

const FIELDS = [
  ["contentType", "shortstr"],
  ["contentEncoding", "shortstr"],
  ["headers", "table"],
  ["deliveryMode", "octet"],
  ["priority", "octet"],
  ["correlationId", "shortstr"],
  ["replyTo", "shortstr"],
  ["expiration", "shortstr"],
  ["messageId", "shortstr"],
  ["timestamp", "longlong"],
  ["type", "shortstr"],
  ["userId", "shortstr"],
  ["appId", "shortstr"],
  ["clusterId", "shortstr"],
] as const satisfies readonly (readonly [string, ArgumentType])[];

type Field = (typeof FIELDS)[number];
export type Properties = { readonly [F in Field as F[0]]?: ArgumentTypes[F[1]] };

export const PERSISTENT = 2;

export function decodeProperties(bytes: Buffer): Properties {
  const reader = readBytes(bytes);
  const flags = reader.short();
  const values: Record<string, unknown> = {};
  FIELDS.forEach(([name, type], i) => {
    if ((flags & (1 << (15 - i))) !== 0) values[name] = reader[type]();
  });
  return values;
}

export function encodeProperties(properties: Properties): Buffer {
  const writer = writeBytes();
  let flags = 0;
  FIELDS.forEach(([name], i) => {
    if (properties[name] !== undefined) flags |= 1 << (15 - i);
  });
  writer.short(flags);
  for (const [name, type] of FIELDS) {
    const value = properties[name];
    if (value === undefined) continue;
    if (type === "table") writer.table(value as Table);
    else if (type === "shortstr") writer.shortstr(value as string);
    else writer[type](value as number);
  }
  return writer.bytes();
}
