/**
 * The part of protobuf that peer metadata needs: google.protobuf.Struct with strings and nested structs, within an Any. Other values are left out. What
 * is read comes from a peer, so lengths and depth are bounded and anything odd reads as undefined. google/protobuf/struct.proto
 */
import { ProtoReader, ProtoWriter, WireError } from "@argyle/xds";

const MAX_DEPTH = 4;
/** Wire type of everything that its length precedes. */
const DELIMITED = 2;

const writer = new ProtoWriter();

export function encodeStruct(object: Readonly<Record<string, unknown>>): Uint8Array {
  writer.reset();
  writeStruct(object);
  return writer.finish();
}

export function encodeAny(type: string, content: Uint8Array): Uint8Array {
  writer.reset();
  writer.tag(1, DELIMITED);
  writer.string(type);
  writer.tag(2, DELIMITED);
  writer.bytes(content);
  return writer.finish();
}

/** Struct: field 1 entries {1 key, 2 Value}; Value: 3 string, 5 Struct. */
function writeStruct(object: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(object)) {
    const entry = begin(1);
    writer.tag(1, DELIMITED);
    writer.string(key);
    const wrapped = begin(2);
    if (typeof value === "string") {
      writer.tag(3, DELIMITED);
      writer.string(value);
    } else {
      const inner = begin(5);
      writeStruct(value as Readonly<Record<string, unknown>>);
      writer.end(inner);
    }
    writer.end(wrapped);
    writer.end(entry);
  }
}

function begin(field: number): number {
  writer.tag(field, DELIMITED);
  return writer.begin();
}

export function decodeStruct(bytes: Buffer, depth = 0): Record<string, unknown> | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const entries = decodeFields(bytes);
  if (entries === undefined) return undefined;
  const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const entry of entries) {
    if (entry.field !== 1) continue;
    const pair = decodeFields(entry.content);
    const key = pair?.find((part) => part.field === 1)?.content.toString("utf8");
    const value = pair?.find((part) => part.field === 2);
    if (key === undefined || value === undefined) continue;
    const inner = decodeFields(value.content)?.at(-1);
    if (inner?.field === 3) object[key] = inner.content.toString("utf8");
    else if (inner?.field === 5) object[key] = decodeStruct(inner.content, depth + 1);
  }
  return object;
}

/** The fields of a message that their length precedes; undefined when the bytes are none. */
export function decodeFields(
  bytes: Buffer,
): readonly { readonly field: number; readonly content: Buffer }[] | undefined {
  const fields: { field: number; content: Buffer }[] = [];
  const reader = new ProtoReader(bytes);
  try {
    while (reader.position < bytes.length) {
      const tag = reader.tag();
      if ((tag & 7) !== DELIMITED) {
        reader.skip(tag & 7, bytes.length);
        continue;
      }
      const end = reader.endOfLength(bytes.length);
      fields.push({ field: tag >>> 3, content: bytes.subarray(reader.position, end) });
      reader.position = end;
    }
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
  return fields;
}
