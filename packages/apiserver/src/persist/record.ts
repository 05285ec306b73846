/**
 * The bytes of the store's files. A file is a header, then records.
 *   header: "ARGYLEST" · u32 format version · u32 reserved
 *   record: u32 payload length · u32 CRC-32 of the payload · payload (UTF-8 JSON)
 * Reading stops at the first record that is short or whose CRC differs. After a crash that is the torn tail, and nothing follows it; when a whole
 * record does follow (`findRecord`), the file was damaged in the middle and must not be cut there.
 * Pure: bytes in, values out.
 */
import { crc32 } from "node:zlib";
import { err, ok, type Result } from "@argyle/core";

export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 16;
const MAGIC = "ARGYLEST";
const FRAME_BYTES = 8;
/** No object comes near it (bodies are limited to 3 MiB): a larger length is garbage, not a record. */
const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;

export function encodeHeader(version = FORMAT_VERSION): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeUInt32LE(version, 8);
  return bytes;
}

export type HeaderProblem =
  | { readonly kind: "not-ours" }
  | { readonly kind: "short" }
  | { readonly kind: "newer"; readonly version: number };

export function decodeHeader(bytes: Buffer): Result<number, HeaderProblem> {
  if (bytes.length < HEADER_BYTES) return err({ kind: "short" });
  if (bytes.toString("latin1", 0, 8) !== MAGIC) return err({ kind: "not-ours" });
  const version = bytes.readUInt32LE(8);
  return version > FORMAT_VERSION ? err({ kind: "newer", version }) : ok(version);
}

export function encodeRecord(payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const bytes = Buffer.allocUnsafe(FRAME_BYTES + length);
  bytes.write(payload, FRAME_BYTES);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAME_BYTES)), 4);
  return bytes;
}

/** Every whole record from `offset` on, and the offset behind the last one. */
export function decodeRecords(bytes: Buffer, offset: number): { readonly payloads: string[]; readonly end: number } {
  const payloads: string[] = [];
  let position = offset;
  while (bytes.length - position >= FRAME_BYTES) {
    const length = bytes.readUInt32LE(position);
    const start = position + FRAME_BYTES;
    if (length > MAX_PAYLOAD_BYTES || start + length > bytes.length) break;
    const payload = bytes.subarray(start, start + length);
    if (crc32(payload) !== bytes.readUInt32LE(position + 4)) break;
    payloads.push(payload.toString("utf8"));
    position = start + length;
  }
  return { payloads, end: position };
}

const OPEN_BRACE = 0x7b;

/** Where the first whole record at or behind `offset` begins, or undefined. Every payload is a JSON object, which keeps the search short. */
export function findRecord(bytes: Buffer, offset: number): number | undefined {
  let brace = bytes.indexOf(OPEN_BRACE, offset + FRAME_BYTES);
  while (brace !== -1) {
    const position = brace - FRAME_BYTES;
    const end = brace + bytes.readUInt32LE(position);
    if (end > brace && end <= bytes.length && crc32(bytes.subarray(brace, end)) === bytes.readUInt32LE(position + 4))
      return position;
    brace = bytes.indexOf(OPEN_BRACE, brace + 1);
  }
  return undefined;
}
