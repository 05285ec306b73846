/** Journal records as bytes: a JSON head with its length, then a message's properties and body as they are. Tables are in AMQP's own encoding. */
import { decodeProperties, PERSISTENT } from "./amqp/properties.ts";
import { readBytes, type Table, writeBytes } from "./amqp/values.ts";
import type { Binding } from "./broker/exchange.ts";
import type { JournalRecord } from "./broker/journal-record.ts";

export function encodeRecord(record: JournalRecord): Buffer {
  if (record.kind !== "message") return withHead(plainOf(record));
  const { message, ...rest } = record;
  const { properties, body, exchange, routingKey } = message;
  return withHead({ ...rest, exchange, routingKey, propertyBytes: properties.length }, properties, body);
}

function plainOf(record: Exclude<JournalRecord, { readonly kind: "message" }>): object {
  switch (record.kind) {
    case "exchange":
    case "queue":
      return { ...record, args: packTable(record.args) };
    case "bound":
    case "unbound":
      return { kind: record.kind, binding: { ...record.binding, args: packTable(record.binding.args) } };
    case "exchange-deleted":
    case "queue-deleted":
    case "delivered":
    case "removed":
      return record;
  }
}

/** The file is ours and each record passed its checksum: its form is taken as written. */
export function decodeRecord(payload: Buffer): JournalRecord {
  const headBytes = payload.readUInt32BE(0);
  const head = JSON.parse(payload.subarray(4, 4 + headBytes).toString("utf8")) as Packed;
  if ("args" in head) return { ...head, args: unpackTable(head.args) };
  if ("binding" in head) return { ...head, binding: { ...head.binding, args: unpackTable(head.binding.args) } };
  if (head.kind !== "message") return head;
  const { propertyBytes, exchange, routingKey, ...rest } = head;
  const bodyAt = 4 + headBytes + propertyBytes;
  const properties = Buffer.from(payload.subarray(4 + headBytes, bodyAt));
  const decoded = decodeProperties(properties);
  return {
    ...rest,
    expiresAtMs: rest.expiresAtMs ?? undefined,
    message: {
      exchange,
      routingKey,
      properties,
      body: Buffer.from(payload.subarray(bodyAt)),
      persistent: decoded.deliveryMode === PERSISTENT,
      headers: decoded.headers ?? new Map(),
    },
  };
}

type Kind<K extends JournalRecord["kind"]> = Extract<JournalRecord, { readonly kind: K }>;
type Packed =
  | (Omit<Kind<"exchange">, "args"> & { readonly args: string })
  | (Omit<Kind<"queue">, "args"> & { readonly args: string })
  | (Omit<Kind<"bound">, "binding"> & { readonly binding: Omit<Binding, "args"> & { readonly args: string } })
  | (Omit<Kind<"unbound">, "binding"> & { readonly binding: Omit<Binding, "args"> & { readonly args: string } })
  | Kind<"exchange-deleted">
  | Kind<"queue-deleted">
  | Kind<"delivered">
  | Kind<"removed">
  | (Omit<Kind<"message">, "message"> & {
      readonly exchange: string;
      readonly routingKey: string;
      readonly propertyBytes: number;
    });

function withHead(head: object, ...parts: readonly Buffer[]): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, ...parts]);
}

function packTable(table: Table): string {
  const writer = writeBytes();
  writer.table(table);
  return writer.bytes().toString("base64");
}

function unpackTable(packed: string): Table {
  return readBytes(Buffer.from(packed, "base64")).table();
}
