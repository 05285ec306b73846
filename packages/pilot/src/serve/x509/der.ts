/** DER as far as certificates need it: writing whole values, and taking a value apart without trusting a length. ITU-T X.690 */
import { Buffer } from "node:buffer";

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

export interface Tlv {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** Bytes that are not the DER that was expected. */
export class DerError extends Error {}

export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new DerError("longer than 64 kB");
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(TAG.oid, Buffer.from(bytes));
}

/** The values that stand one after the other in `bytes`, which they fill. */
export function readAll(bytes: Buffer): readonly Tlv[] {
  const out: Tlv[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tlv = readAt(bytes, at);
    out.push(tlv);
    at += tlv.whole.length;
  }
  return out;
}

/** The members of a constructed value with this tag; nothing may follow it. */
export function readMembers(bytes: Buffer, tag: number): readonly Tlv[] {
  const [only, ...others] = readAll(bytes);
  if (only === undefined || others.length > 0 || only.tag !== tag)
    throw new DerError(`expected one value of tag ${tag}`);
  return readAll(only.content);
}

export function expectTag(tlv: Tlv | undefined, tag: number): Tlv {
  if (tlv?.tag !== tag) throw new DerError(`expected tag ${tag}, found ${tlv?.tag ?? "nothing"}`);
  return tlv;
}

function readAt(bytes: Buffer, start: number): Tlv {
  const tag = bytes[start];
  const first = bytes[start + 1];
  // Tags beyond 30 and lengths without end do not occur in certificates.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerError("ends within a value");
  let at = start + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3 || at + count > bytes.length) throw new DerError("a length that is no DER");
    length = bytes.readUIntBE(at, count);
    at += count;
  }
  if (at + length > bytes.length) throw new DerError("ends within a value");
  return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) };
}
