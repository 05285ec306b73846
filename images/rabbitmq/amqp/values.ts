/**
 * The value types of AMQP 0-9-1 in both directions. Table values keep their wire type, so that what is read can be written again unchanged.
 * Text is UTF-8. Type letters: https://www.rabbitmq.com/amqp-0-9-1-errata (section 3), which differ from the specification's.
 */
export type Value =
  | { readonly type: "t"; readonly value: boolean }
  | { readonly type: "b" | "B" | "s" | "u" | "I" | "i" | "f" | "d"; readonly value: number }
  | { readonly type: "l" | "T"; readonly value: bigint }
  | { readonly type: "D"; readonly scale: number; readonly value: number }
  | { readonly type: "S" | "x"; readonly value: Buffer }
  | { readonly type: "A"; readonly value: readonly Value[] }
  | { readonly type: "F"; readonly value: Table }
  | { readonly type: "V" };

export type Table = ReadonlyMap<string, Value>;

export const text = (value: string): Value => ({ type: "S", value: Buffer.from(value) });
export const flag = (value: boolean): Value => ({ type: "t", value });

/** The bytes are not what the protocol says. */
export class MalformedError extends Error {}

export interface ByteReader {
  octet(): number;
  short(): number;
  long(): number;
  longlong(): number;
  shortstr(): string;
  longstr(): Buffer;
  table(): Table;
  value(): Value;
  /** Bytes that are left. */
  left(): number;
}

export function readBytes(bytes: Buffer): ByteReader {
  let at = 0;
  const take = (count: number): number => {
    if (at + count > bytes.length) throw new MalformedError("the frame ends too early");
    at += count;
    return at - count;
  };
  const slice = (count: number) => bytes.subarray(take(count), at);
  const reader: ByteReader = {
    octet: () => bytes.readUInt8(take(1)),
    short: () => bytes.readUInt16BE(take(2)),
    long: () => bytes.readUInt32BE(take(4)),
    longlong: () => Number(bytes.readBigUInt64BE(take(8))),
    shortstr: () => slice(reader.octet()).toString("utf8"),
    longstr: () => slice(reader.long()),
    table() {
      const inner = readBytes(reader.longstr());
      const table = new Map<string, Value>();
      while (inner.left() > 0) table.set(inner.shortstr(), inner.value());
      return table;
    },
    value: () => readValue(reader, slice),
    left: () => bytes.length - at,
  };
  return reader;
}

function readValue(reader: ByteReader, slice: (count: number) => Buffer): Value {
  const type = String.fromCharCode(reader.octet());
  switch (type) {
    case "t":
      return { type, value: reader.octet() !== 0 };
    case "b":
      return { type, value: slice(1).readInt8() };
    case "B":
      return { type, value: reader.octet() };
    case "s":
      return { type, value: slice(2).readInt16BE() };
    case "u":
      return { type, value: reader.short() };
    case "I":
      return { type, value: slice(4).readInt32BE() };
    case "i":
      return { type, value: reader.long() };
    case "l":
      return { type, value: slice(8).readBigInt64BE() };
    case "T":
      return { type, value: slice(8).readBigUInt64BE() };
    case "f":
      return { type, value: slice(4).readFloatBE() };
    case "d":
      return { type, value: slice(8).readDoubleBE() };
    case "D":
      return { type, scale: reader.octet(), value: reader.long() };
    case "S":
    case "x":
      return { type, value: reader.longstr() };
    case "F":
      return { type, value: reader.table() };
    case "V":
      return { type };
    case "A": {
      const inner = readBytes(reader.longstr());
      const items: Value[] = [];
      while (inner.left() > 0) items.push(inner.value());
      return { type, value: items };
    }
    default:
      throw new MalformedError(`unknown table value type '${type}'`);
  }
}

export interface ByteWriter {
  octet(value: number): void;
  short(value: number): void;
  long(value: number): void;
  longlong(value: number | bigint): void;
  shortstr(value: string): void;
  longstr(value: Buffer): void;
  table(value: Table): void;
  bytes(): Buffer;
}

const MAX_SHORTSTR = 255;

export function writeBytes(): ByteWriter {
  const parts: Buffer[] = [];
  const fixed = (size: number, put: (buffer: Buffer) => unknown) => {
    const buffer = Buffer.allocUnsafe(size);
    put(buffer);
    parts.push(buffer);
  };
  const writer: ByteWriter = {
    octet: (value) => fixed(1, (b) => b.writeUInt8(value)),
    short: (value) => fixed(2, (b) => b.writeUInt16BE(value)),
    long: (value) => fixed(4, (b) => b.writeUInt32BE(value)),
    longlong: (value) => fixed(8, (b) => b.writeBigUInt64BE(BigInt(value))),
    shortstr(value) {
      const bytes = Buffer.from(value).subarray(0, MAX_SHORTSTR);
      writer.octet(bytes.length);
      parts.push(bytes);
    },
    longstr(value) {
      writer.long(value.length);
      parts.push(value);
    },
    table(value) {
      const inner = writeBytes();
      for (const [name, each] of value) {
        inner.shortstr(name);
        writeValue(inner, each);
      }
      writer.longstr(inner.bytes());
    },
    bytes: () => Buffer.concat(parts),
  };
  return writer;
}

function writeValue(writer: ByteWriter, item: Value): void {
  writer.octet(item.type.charCodeAt(0));
  switch (item.type) {
    case "t":
      writer.octet(item.value ? 1 : 0);
      return;
    case "b":
    case "B":
      writer.octet(item.value & 0xff);
      return;
    case "s":
    case "u":
      writer.short(item.value & 0xffff);
      return;
    case "I":
    case "i":
      writer.long(item.value >>> 0);
      return;
    case "l":
    case "T":
      writer.longlong(BigInt.asUintN(64, item.value));
      return;
    case "f": {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatBE(item.value);
      writer.long(bytes.readUInt32BE());
      return;
    }
    case "d": {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(item.value);
      writer.longlong(bytes.readBigUInt64BE());
      return;
    }
    case "D":
      writer.octet(item.scale);
      writer.long(item.value);
      return;
    case "S":
    case "x":
      writer.longstr(item.value);
      return;
    case "F":
      writer.table(item.value);
      return;
    case "A": {
      const inner = writeBytes();
      for (const each of item.value) writeValue(inner, each);
      writer.longstr(inner.bytes());
      return;
    }
    case "V":
      return;
  }
}

/** A number of any integer type; undefined for everything else. */
export function integerOf(value: Value | undefined): number | undefined {
  if (value === undefined) return undefined;
  switch (value.type) {
    case "b":
    case "B":
    case "s":
    case "u":
    case "I":
    case "i":
      return value.value;
    case "l":
      return Number(value.value);
    default:
      return undefined;
  }
}

export function textOf(value: Value | undefined): string | undefined {
  return value?.type === "S" ? value.value.toString("utf8") : undefined;
}

export function isSameTable(a: Table, b: Table): boolean {
  const encoded = (table: Table) => {
    const writer = writeBytes();
    writer.table(new Map([...table].sort(([x], [y]) => (x < y ? -1 : 1))));
    return writer.bytes();
  };
  return encoded(a).equals(encoded(b));
}

/** As JSON, for the management API: texts as texts, numbers as numbers. */
export function plainTable(table: Table): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...table].map(([name, value]) => [name, plain(value)]));
}

function plain(value: Value): unknown {
  switch (value.type) {
    case "S":
      return value.value.toString("utf8");
    case "x":
      return value.value.toString("base64");
    case "F":
      return plainTable(value.value);
    case "A":
      return value.value.map(plain);
    case "l":
    case "T":
      return Number(value.value);
    case "D":
      return value.value / 10 ** value.scale;
    case "V":
      return null;
    default:
      return value.value;
  }
}
