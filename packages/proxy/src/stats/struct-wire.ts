/**
 * The part of protobuf that peer metadata needs: google.protobuf.Struct with strings and nested structs. Other values are left out. What is read
 * comes from a peer, so lengths and depth are bounded and anything odd reads as undefined.
 * https://protobuf.dev/programming-guides/encoding/  google/protobuf/struct.proto
 */
const MAX_DEPTH = 4;

/** Struct: field 1 entries {1 key, 2 Value}; Value: 3 string, 5 Struct. */
export function encodeStruct(object: Readonly<Record<string, unknown>>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(object)) {
    const encoded =
      typeof value === "string"
        ? delimited(3, Buffer.from(value, "utf8"))
        : delimited(5, encodeStruct(value as Readonly<Record<string, unknown>>));
    parts.push(delimited(1, Buffer.concat([delimited(1, Buffer.from(key, "utf8")), delimited(2, encoded)])));
  }
  return Buffer.concat(parts);
}

export function delimited(field: number, content: Buffer): Buffer {
  const length: number[] = [];
  let rest = content.length;
  do {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), content]);
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

export function decodeFields(
  bytes: Buffer,
): readonly { readonly field: number; readonly content: Buffer }[] | undefined {
  const fields: { field: number; content: Buffer }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const wire = tag & 7;
    let length: number | undefined;
    if (wire === 2) length = varint();
    else if (wire === 1) length = 8;
    else if (wire === 5) length = 4;
    else if (wire === 0) {
      if (varint() === undefined) return undefined;
      continue;
    }
    if (length === undefined || at + length > bytes.length) return undefined;
    fields.push({ field: tag >>> 3, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}
