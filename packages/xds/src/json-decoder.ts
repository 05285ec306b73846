/**
 * Bytes straight to proto3 JSON (proto field names, defaults absent), without a message in between: the other half of json-encoder.ts, for the proxy, which
 * decodes all its configuration in its first second. Members are in the order of the bytes. What is unusual (an Any of a foreign type, a field that comes
 * twice, a number beyond 2^53, text that is no UTF-8) makes it give up, and protobuf-es converts the whole resource, or says what is wrong with it.
 */
import { type FieldTable, KIND, type MessageTable, type MessageTables, WIRE, wireOf } from "./message-tables.ts";
import { ProtoReader, WireError } from "./proto-reader.ts";
import { typeNameOf } from "./type-urls.ts";

/** Undefined: not for this way. */
export type DecodeJson = (typeName: string, bytes: Uint8Array) => object | undefined;

const MAX_DEPTH = 64;

type Json = Record<string, unknown>;

export function createJsonDecoder(tables: MessageTables): DecodeJson {
  return (typeName, bytes) => {
    const table = tables.of(typeName);
    if (table === undefined || !table.isSupported) return undefined;
    try {
      return readMessage(new ProtoReader(bytes), tables, table, bytes.length, {}, 0);
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  };
}

function readMessage(
  r: ProtoReader,
  tables: MessageTables,
  table: MessageTable,
  end: number,
  json: Json,
  depth: number,
): Json {
  if (depth > MAX_DEPTH) throw new WireError("too deep");
  let oneofs: string[] | undefined;
  while (r.position < end) {
    const tag = r.tag();
    const wire = tag & 7;
    const field = table.byNumber.get(Math.floor(tag / 8));
    if (field === undefined) {
      r.skip(wire, end);
      continue;
    }
    const { name } = field;
    if (field.mapKey !== undefined) readMapEntry(r, tables, field, wire, end, json, depth);
    else if (field.isList) readListItem(r, tables, field, wire, end, json, depth);
    else {
      if (field.oneof !== undefined) {
        oneofs ??= [];
        if (oneofs.includes(field.oneof)) throw new WireError("two members of a oneof");
        oneofs.push(field.oneof);
      }
      if (json[name] !== undefined) throw new WireError("a field that comes twice");
      const value = readValue(r, tables, field, wire, end, depth);
      if (!(field.isImplicit && isDefault(field, value))) json[name] = value;
    }
  }
  return json;
}

function readListItem(
  r: ProtoReader,
  tables: MessageTables,
  field: FieldTable,
  wire: number,
  end: number,
  json: Json,
  depth: number,
): void {
  let list = json[field.name] as unknown[] | undefined;
  if (list === undefined) {
    list = [];
    json[field.name] = list;
  }
  const isPacked = wire === WIRE.bytes && field.kind < KIND.message && wireOf(field.kind) !== WIRE.bytes;
  if (!isPacked) {
    list.push(readValue(r, tables, field, wire, end, depth));
    return;
  }
  const limit = r.endOfLength(end);
  while (r.position < limit) list.push(readScalar(r, field, limit));
}

function readMapEntry(
  r: ProtoReader,
  tables: MessageTables,
  field: FieldTable,
  wire: number,
  end: number,
  json: Json,
  depth: number,
): void {
  if (field.mapKey !== KIND.string || wire !== WIRE.bytes) throw new WireError("an unusual map");
  const limit = r.endOfLength(end);
  let key = "";
  let value: unknown;
  while (r.position < limit) {
    const tag = r.tag();
    if (tag === 0x0a) key = r.text(limit);
    else if (tag >> 3 === 2) value = readValue(r, tables, field, tag & 7, limit, depth);
    else r.skip(tag & 7, limit);
  }
  if (value === undefined || key === "__proto__") throw new WireError("an unusual map");
  const map = (json[field.name] ?? {}) as Json;
  json[field.name] = map;
  map[key] = value;
}

function readValue(
  r: ProtoReader,
  tables: MessageTables,
  field: FieldTable,
  wire: number,
  end: number,
  depth: number,
): unknown {
  const { kind } = field;
  if (kind < KIND.message) {
    if (wire !== wireOf(kind)) throw new WireError("another wire type");
    return readScalar(r, field, end);
  }
  if (wire !== WIRE.bytes) throw new WireError("another wire type");
  const limit = r.endOfLength(end);
  switch (kind) {
    case KIND.message:
      return readMessage(r, tables, childOf(field), limit, {}, depth + 1);
    case KIND.wrapper:
      return readWrapper(r, tables, childOf(field), limit, depth);
    case KIND.any:
      return readAny(r, tables, limit, depth + 1);
    case KIND.struct:
      return readStruct(r, limit, depth + 1);
    case KIND.value:
      return readJsonValue(r, limit, depth + 1);
    case KIND.list:
      return readJsonList(r, limit, depth + 1);
    case KIND.duration:
      return readDuration(r, limit);
    default:
      throw new WireError("a type that is left to protobuf-es");
  }
}

function readWrapper(r: ProtoReader, tables: MessageTables, table: MessageTable, end: number, depth: number): unknown {
  const field = table.byNumber.get(1);
  if (field === undefined) throw new WireError("no wrapper");
  let value = defaultOf(field.kind);
  while (r.position < end) {
    const tag = r.tag();
    if (Math.floor(tag / 8) === 1) value = readValue(r, tables, field, tag & 7, end, depth);
    else r.skip(tag & 7, end);
  }
  return value;
}

function readAny(r: ProtoReader, tables: MessageTables, end: number, depth: number): Json {
  let type = "";
  let from = 0;
  let to = 0;
  while (r.position < end) {
    const tag = r.tag();
    if (tag === 0x0a) type = r.text(end);
    else if (tag === 0x12) {
      to = r.endOfLength(end);
      from = r.position;
      r.position = to;
    } else r.skip(tag & 7, end);
  }
  const table = tables.of(typeNameOf(type));
  if (table === undefined || !table.isSupported || table.typeName.startsWith("google.protobuf."))
    throw new WireError("a type that is left to protobuf-es");
  r.position = from;
  const json = readMessage(r, tables, table, to, { "@type": type }, depth);
  r.position = end;
  return json;
}

function readStruct(r: ProtoReader, end: number, depth: number): Json {
  const json: Json = {};
  while (r.position < end) {
    const tag = r.tag();
    if (tag !== 0x0a) {
      r.skip(tag & 7, end);
      continue;
    }
    const limit = r.endOfLength(end);
    let key = "";
    let value: unknown = null;
    while (r.position < limit) {
      const inner = r.tag();
      if (inner === 0x0a) key = r.text(limit);
      else if (inner === 0x12) value = readJsonValue(r, r.endOfLength(limit), depth + 1);
      else r.skip(inner & 7, limit);
    }
    if (key === "__proto__") throw new WireError("an unusual map");
    json[key] = value;
  }
  return json;
}

/** google.protobuf.Value: null_value 1, number_value 2, string_value 3, bool_value 4, struct_value 5, list_value 6. */
function readJsonValue(r: ProtoReader, end: number, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new WireError("too deep");
  const tag = r.tag();
  const value = readJsonMember(r, tag, end, depth);
  // One member, as everybody writes it.
  if (r.position !== end) throw new WireError("two members of a oneof");
  return value;
}

function readJsonMember(r: ProtoReader, tag: number, end: number, depth: number): unknown {
  switch (tag) {
    case 0x08:
      r.varint();
      return null;
    case 0x11: {
      const number = r.double(end);
      if (!Number.isFinite(number)) throw new WireError("a number that JSON lacks");
      return number;
    }
    case 0x1a:
      return r.text(end);
    case 0x20:
      return r.varint() !== 0;
    case 0x2a:
      return readStruct(r, r.endOfLength(end), depth + 1);
    case 0x32:
      return readJsonList(r, r.endOfLength(end), depth + 1);
    default:
      throw new WireError("an unusual value");
  }
}

function readJsonList(r: ProtoReader, end: number, depth: number): unknown[] {
  const list: unknown[] = [];
  while (r.position < end) {
    if (r.tag() !== 0x0a) throw new WireError("an unusual list");
    list.push(readJsonValue(r, r.endOfLength(end), depth));
  }
  return list;
}

/** Three, six or nine digits after the point, as protobuf writes it. */
function readDuration(r: ProtoReader, end: number): string {
  let seconds = 0;
  let nanos = 0;
  while (r.position < end) {
    const tag = r.tag();
    if (tag === 0x08) seconds = r.varint();
    else if (tag === 0x10) nanos = r.varint();
    else r.skip(tag & 7, end);
  }
  if (seconds > 315_576_000_000 || nanos > 999_999_999) throw new WireError("an unusual duration");
  if (nanos === 0) return `${seconds}s`;
  const digits = String(nanos).padStart(9, "0");
  return `${seconds}.${digits.endsWith("000000") ? digits.slice(0, 3) : digits.endsWith("000") ? digits.slice(0, 6) : digits}s`;
}

function readScalar(r: ProtoReader, { kind, enumeration }: FieldTable, end: number): unknown {
  switch (kind) {
    case KIND.string:
      return r.text(end);
    case KIND.bool:
      return r.varint() !== 0;
    case KIND.uint32:
    case KIND.int32: {
      const number = r.varint();
      if (number > (kind === KIND.int32 ? 0x7fff_ffff : 0xffff_ffff)) throw new WireError("an unusual number");
      return number;
    }
    case KIND.uint64:
    case KIND.int64:
      return String(r.varint());
    case KIND.double:
    case KIND.float: {
      const number = kind === KIND.double ? r.double(end) : r.float(end);
      if (!Number.isFinite(number)) throw new WireError("a number that JSON lacks");
      return number;
    }
    case KIND.bytes: {
      const limit = r.endOfLength(end);
      const text = r.buffer.toString("base64", r.position, limit);
      r.position = limit;
      return text;
    }
    case KIND.enumeration: {
      const number = r.varint();
      return enumeration?.byNumber.get(number) ?? number;
    }
    default:
      throw new WireError("a type that is left to protobuf-es");
  }
}

function isDefault({ kind, enumeration }: FieldTable, value: unknown): boolean {
  if (kind === KIND.enumeration) return value === 0 || value === enumeration?.byNumber.get(0);
  return kind < KIND.message && Object.is(value, defaultOf(kind));
}

function defaultOf(kind: number): unknown {
  switch (kind) {
    case KIND.string:
    case KIND.bytes:
      return "";
    case KIND.bool:
      return false;
    case KIND.int64:
    case KIND.uint64:
      return "0";
    default:
      return 0;
  }
}

function childOf(field: FieldTable): MessageTable {
  if (field.message === undefined) throw new WireError("no message");
  return field.message();
}
