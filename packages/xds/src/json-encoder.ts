/**
 * proto3 JSON straight to bytes, without a message in between: what istiod does for every listener, cluster and endpoint of every proxy, mostly in its first
 * seconds, when code that runs a few hundred times must be cheap before any compiler has seen it. It takes what our translation writes; whatever is not
 * plainly right (a wrong type, an unknown field, an Any of a foreign type, a rare well-known type) makes it give up, and protobuf-es converts the whole
 * resource, or says what is wrong with it. Fields are written in the order of the JSON.
 * https://protobuf.dev/programming-guides/json/
 */
import { type FieldTable, KIND, type MessageTable, type MessageTables, WIRE, wireOf } from "./message-tables.ts";
import { ProtoWriter } from "./proto-writer.ts";
import { typeNameOf } from "./type-urls.ts";

/** Undefined: not for this way. */
export type EncodeJson = (typeName: string, json: object) => Uint8Array | undefined;

const GIVE_UP = new Error("left to protobuf-es");
const MAX_DEPTH = 64;

export function createJsonEncoder(tables: MessageTables): EncodeJson {
  const writer = new ProtoWriter();
  return (typeName, json) => {
    const table = tables.of(typeName);
    if (table === undefined || !table.isSupported) return undefined;
    try {
      writer.reset();
      writeMessage(writer, tables, table, json, 0, true);
      return writer.finish();
    } catch (error) {
      if (error === GIVE_UP) return undefined;
      throw error;
    }
  };
}

type Json = Readonly<Record<string, unknown>>;

function writeMessage(
  w: ProtoWriter,
  tables: MessageTables,
  table: MessageTable,
  json: unknown,
  depth: number,
  mayHaveType: boolean,
): void {
  if (depth > MAX_DEPTH) throw GIVE_UP;
  const object = asObject(json);
  let oneofs: string[] | undefined;
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value === undefined) continue;
    const field = table.byName.get(key);
    if (field === undefined) {
      if (mayHaveType && key === "@type") continue;
      throw GIVE_UP;
    }
    if (value === null) {
      if (field.kind === KIND.value) throw GIVE_UP;
      continue;
    }
    if (field.name !== key && object[field.name] !== undefined) throw GIVE_UP;
    if (field.oneof !== undefined) {
      oneofs ??= [];
      if (oneofs.includes(field.oneof)) throw GIVE_UP;
      oneofs.push(field.oneof);
    }
    if (field.mapKey !== undefined) writeMap(w, tables, field, value, depth);
    else if (field.isList) writeList(w, tables, field, value, depth);
    else writeField(w, tables, field, value, field.isImplicit, depth);
  }
}

function writeList(w: ProtoWriter, tables: MessageTables, field: FieldTable, value: unknown, depth: number): void {
  if (!Array.isArray(value)) throw GIVE_UP;
  if (value.length === 0) return;
  if (!field.isPacked) {
    for (const item of value) writeField(w, tables, field, item, false, depth);
    return;
  }
  w.tag(field.number, WIRE.bytes);
  const start = w.begin();
  for (const item of value) writeScalar(w, field, item);
  w.end(start);
}

function writeMap(w: ProtoWriter, tables: MessageTables, field: FieldTable, value: unknown, depth: number): void {
  if (field.mapKey !== KIND.string) throw GIVE_UP;
  const object = asObject(value);
  for (const key of Object.keys(object)) {
    w.tag(field.number, WIRE.bytes);
    const start = w.begin();
    w.tag(1, WIRE.bytes);
    writeText(w, key);
    writeField(w, tables, { ...field, number: 2 }, object[key], false, depth);
    w.end(start);
  }
}

function writeField(
  w: ProtoWriter,
  tables: MessageTables,
  field: FieldTable,
  value: unknown,
  isDefaultLeftOut: boolean,
  depth: number,
): void {
  const { kind, number } = field;
  if (kind < KIND.message) {
    if (isDefaultLeftOut && isDefault(field, value)) return;
    w.tag(number, wireOf(kind));
    writeScalar(w, field, value);
    return;
  }
  w.tag(number, WIRE.bytes);
  const start = w.begin();
  switch (kind) {
    case KIND.message:
      writeMessage(w, tables, childOf(field), value, depth + 1, false);
      break;
    case KIND.wrapper: {
      const inner = childOf(field).byNumber.get(1);
      if (inner === undefined) throw GIVE_UP;
      writeField(w, tables, inner, value, true, depth);
      break;
    }
    case KIND.any:
      writeAny(w, tables, value, depth + 1);
      break;
    case KIND.struct:
      writeStruct(w, value, depth + 1);
      break;
    case KIND.value:
      writeValue(w, value, depth + 1);
      break;
    case KIND.list:
      writeListValue(w, value, depth + 1);
      break;
    case KIND.duration:
      writeDuration(w, value);
      break;
    default:
      throw GIVE_UP;
  }
  w.end(start);
}

function writeAny(w: ProtoWriter, tables: MessageTables, value: unknown, depth: number): void {
  const object = asObject(value);
  const type = object["@type"];
  if (typeof type !== "string") throw GIVE_UP;
  const table = tables.of(typeNameOf(type));
  if (table === undefined || !table.isSupported || table.typeName.startsWith("google.protobuf.")) throw GIVE_UP;
  w.tag(1, WIRE.bytes);
  w.string(type);
  w.tag(2, WIRE.bytes);
  const start = w.begin();
  writeMessage(w, tables, table, object, depth, true);
  w.end(start);
}

function writeStruct(w: ProtoWriter, value: unknown, depth: number): void {
  const object = asObject(value);
  for (const key of Object.keys(object)) {
    if (object[key] === undefined) continue;
    w.tag(1, WIRE.bytes);
    const entry = w.begin();
    w.tag(1, WIRE.bytes);
    writeText(w, key);
    w.tag(2, WIRE.bytes);
    const start = w.begin();
    writeValue(w, object[key], depth + 1);
    w.end(start);
    w.end(entry);
  }
}

/** google.protobuf.Value: null_value 1, number_value 2, string_value 3, bool_value 4, struct_value 5, list_value 6. */
function writeValue(w: ProtoWriter, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw GIVE_UP;
  switch (typeof value) {
    case "string":
      w.tag(3, WIRE.bytes);
      writeText(w, value);
      return;
    case "number":
      if (!Number.isFinite(value)) throw GIVE_UP;
      w.tag(2, WIRE.fixed64);
      w.double(value);
      return;
    case "boolean":
      w.tag(4, WIRE.varint);
      w.varint(value ? 1 : 0);
      return;
    case "object": {
      if (value === null) {
        w.tag(1, WIRE.varint);
        w.varint(0);
        return;
      }
      w.tag(Array.isArray(value) ? 6 : 5, WIRE.bytes);
      const start = w.begin();
      if (Array.isArray(value)) writeListValue(w, value, depth + 1);
      else writeStruct(w, value, depth + 1);
      w.end(start);
      return;
    }
    default:
      throw GIVE_UP;
  }
}

function writeListValue(w: ProtoWriter, value: unknown, depth: number): void {
  if (!Array.isArray(value)) throw GIVE_UP;
  for (const item of value) {
    w.tag(1, WIRE.bytes);
    const start = w.begin();
    writeValue(w, item, depth);
    w.end(start);
  }
}

const DURATION = /^(\d{1,12})(?:\.(\d{1,9}))?s$/;

function writeDuration(w: ProtoWriter, value: unknown): void {
  const match = typeof value === "string" ? DURATION.exec(value) : null;
  if (match === null) throw GIVE_UP;
  const seconds = Number(match[1]);
  const nanos = Number((match[2] ?? "").padEnd(9, "0"));
  if (seconds > 315_576_000_000) throw GIVE_UP;
  if (seconds > 0) {
    w.tag(1, WIRE.varint);
    w.varint(seconds);
  }
  if (nanos > 0) {
    w.tag(2, WIRE.varint);
    w.varint(nanos);
  }
}

function isDefault({ kind, enumeration }: FieldTable, value: unknown): boolean {
  if (kind === KIND.enumeration) return typeof value === "string" && enumeration?.byName.get(value) === 0;
  if (value === 0) return kind !== KIND.string && kind !== KIND.bytes && kind !== KIND.bool && !Object.is(value, -0);
  if (value === "") return kind === KIND.string || kind === KIND.bytes;
  if (value === false) return kind === KIND.bool;
  return false;
}

function writeScalar(w: ProtoWriter, { kind, enumeration }: FieldTable, value: unknown): void {
  switch (kind) {
    case KIND.string:
      if (typeof value !== "string") throw GIVE_UP;
      writeText(w, value);
      return;
    case KIND.bool:
      if (typeof value !== "boolean") throw GIVE_UP;
      w.varint(value ? 1 : 0);
      return;
    case KIND.uint32:
      w.varint(wholeNumber(value, 0, 0xffff_ffff));
      return;
    case KIND.int32: {
      const number = wholeNumber(value, -0x8000_0000, 0x7fff_ffff);
      if (number < 0) w.varint64(BigInt(number));
      else w.varint(number);
      return;
    }
    case KIND.uint64:
    case KIND.int64:
      w.varint(wholeNumber(value, 0, Number.MAX_SAFE_INTEGER));
      return;
    case KIND.double:
      if (typeof value !== "number" || !Number.isFinite(value)) throw GIVE_UP;
      w.double(value);
      return;
    case KIND.float:
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) throw GIVE_UP;
      w.float(value);
      return;
    case KIND.bytes:
      if (typeof value !== "string" || !BASE64.test(value) || value.length % 4 !== 0) throw GIVE_UP;
      w.bytes(Buffer.from(value, "base64"));
      return;
    case KIND.enumeration: {
      const number = typeof value === "string" ? enumeration?.byName.get(value) : undefined;
      if (number === undefined || number < 0) throw GIVE_UP;
      w.varint(number);
      return;
    }
    default:
      throw GIVE_UP;
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function wholeNumber(value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) throw GIVE_UP;
  return value;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Half a surrogate pair has no UTF-8. */
function writeText(w: ProtoWriter, text: string): void {
  if (SURROGATE.test(text)) throw GIVE_UP;
  w.string(text);
}

function asObject(json: unknown): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw GIVE_UP;
  return json as Json;
}

function childOf(field: FieldTable): MessageTable {
  if (field.message === undefined) throw GIVE_UP;
  return field.message();
}
