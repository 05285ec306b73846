/**
 * Frames of AMQP 0-9-1 (specification, section 4.2): type, channel, size, payload, end mark. Bytes arrive in any pieces.
 * Methods and content headers are encoded and decoded here; what they mean is the connection's business.
 */
import { type ArgumentType, METHODS, type Method, type MethodName } from "./methods.ts";
import { MalformedError, readBytes, type Table, writeBytes } from "./values.ts";

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
const FRAME_END = 0xce;
const FRAME_OVERHEAD = 8;
export const PROTOCOL_HEADER = Buffer.from([65, 77, 81, 80, 0, 0, 9, 1]);

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

export type Read =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "broken"; readonly why: string };

/** `maxBytes` is asked for at each frame: it changes once, when the connection is tuned. */
export function createFrameReader(maxBytes: () => number): { push(chunk: Buffer): readonly Read[] } {
  let pending: Buffer = Buffer.alloc(0);
  let isBroken = false;
  return {
    push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const out: Read[] = [];
      let at = 0;
      while (!isBroken && pending.length - at >= FRAME_OVERHEAD - 1) {
        const size = pending.readUInt32BE(at + 3);
        const limit = maxBytes();
        if (limit > 0 && size > limit - FRAME_OVERHEAD) {
          isBroken = true;
          out.push({ kind: "broken", why: `a frame of ${size} bytes, the maximum is ${limit - FRAME_OVERHEAD}` });
          break;
        }
        const end = at + size + FRAME_OVERHEAD;
        if (pending.length < end) break;
        if (pending[end - 1] !== FRAME_END) {
          isBroken = true;
          out.push({ kind: "broken", why: "a frame without its end mark" });
          break;
        }
        const frame = {
          type: pending.readUInt8(at),
          channel: pending.readUInt16BE(at + 1),
          payload: pending.subarray(at + 7, end - 1),
        };
        out.push({ kind: "frame", frame });
        at = end;
      }
      // A copy, so that a few left-over bytes do not keep a large chunk alive.
      pending = at === 0 ? pending : Buffer.from(pending.subarray(at));
      return out;
    },
  };
}

export function encodeFrame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.allocUnsafe(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.of(FRAME_END)]);
}

export const HEARTBEAT = encodeFrame(FRAME_HEARTBEAT, 0, Buffer.alloc(0));

const BY_ID = new Map<number, MethodName>(
  (Object.keys(METHODS) as MethodName[]).map((name) => [idOf(name), name] as const),
);

function idOf(name: MethodName): number {
  const [classId, methodId] = METHODS[name].id;
  return classId * 65_536 + methodId;
}

/** Undefined for a method that does not exist. Throws MalformedError. */
export function decodeMethod(payload: Buffer): Method | undefined {
  const reader = readBytes(payload);
  const name = BY_ID.get(reader.long());
  if (name === undefined) return undefined;
  const args: Record<string, unknown> = {};
  let bits = 0;
  let bitsLeft = 0;
  for (const [argument, type] of Object.entries(METHODS[name].args) as [string, ArgumentType][]) {
    if (type !== "bit") {
      bitsLeft = 0;
      args[argument] = reader[type]();
      continue;
    }
    if (bitsLeft === 0) {
      bits = reader.octet();
      bitsLeft = 8;
    }
    args[argument] = (bits & 1) === 1;
    bits >>= 1;
    bitsLeft -= 1;
  }
  return { name, args } as Method;
}

export function encodeMethod(channel: number, method: Method): Buffer {
  const writer = writeBytes();
  writer.long(idOf(method.name));
  const args = method.args as Readonly<Record<string, unknown>>;
  let bits = 0;
  let bitCount = 0;
  const flushBits = () => {
    if (bitCount > 0) writer.octet(bits);
    bits = 0;
    bitCount = 0;
  };
  for (const [argument, type] of Object.entries(METHODS[method.name].args) as [string, ArgumentType][]) {
    const value = args[argument];
    if (type === "bit") {
      if (value === true) bits |= 1 << bitCount;
      bitCount += 1;
      continue;
    }
    flushBits();
    switch (type) {
      case "octet":
      case "short":
      case "long":
      case "longlong":
        writer[type](value as number);
        break;
      case "shortstr":
        writer.shortstr(value as string);
        break;
      case "longstr":
        writer.longstr(value as Buffer);
        break;
      case "table":
        writer.table(value as Table);
        break;
    }
  }
  flushBits();
  return encodeFrame(FRAME_METHOD, channel, writer.bytes());
}

export interface ContentHeader {
  readonly bodyBytes: number;
  /** Property flags and values as they came. */
  readonly properties: Buffer;
}

const BASIC_CLASS = 60;

export function decodeContentHeader(payload: Buffer): ContentHeader {
  const reader = readBytes(payload);
  if (reader.short() !== BASIC_CLASS) throw new MalformedError("content of another class than basic");
  reader.short();
  const bodyBytes = reader.longlong();
  return { bodyBytes, properties: Buffer.from(payload.subarray(12)) };
}

/** The header and body frames of a message; a body longer than one frame is cut. */
export function encodeContent(channel: number, properties: Buffer, body: Buffer, frameMax: number): readonly Buffer[] {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(BASIC_CLASS, 0);
  head.writeBigUInt64BE(BigInt(body.length), 4);
  const frames = [encodeFrame(FRAME_HEADER, channel, Buffer.concat([head, properties]))];
  const step = frameMax > 0 ? frameMax - FRAME_OVERHEAD : Math.max(1, body.length);
  for (let at = 0; at < body.length; at += step) {
    frames.push(encodeFrame(FRAME_BODY, channel, body.subarray(at, at + step)));
  }
  return frames;
}
