/** For tests: frames written by hand, and what a connection wrote read back as lines of text. Independent of the codec's own framing. */

import type { HeaderBlock } from "../src/headers/header-block.ts";
import { HpackDecoder } from "../src/hpack/decoder.ts";
import { HpackEncoder } from "../src/hpack/encoder.ts";
import { OutputBuffer } from "../src/hpack/output.ts";
import { http2ErrorName } from "../src/http2/error-codes.ts";
import type { Http2Event } from "../src/http2/events.ts";

export type Field = readonly [name: string, value: string];

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 0x20;

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId >>> 0, 5);
  return Buffer.concat([header, body]);
}

export const uint32 = (...values: readonly number[]): Buffer => {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) buffer.writeUInt32BE(value, i * 4);
  return buffer;
};

/** A block that refers to no other one. */
export function block(fields: readonly Field[]): Buffer {
  const out = new OutputBuffer();
  const encoder = new HpackEncoder();
  for (const [name, value] of fields) encoder.field(name, value, out);
  return out.take();
}

export const data = (id: number, text: string | Buffer, flags = 0) => frame(0, flags, id, text);
export const headers = (id: number, fields: readonly Field[], flags = END_STREAM | END_HEADERS) =>
  frame(1, flags, id, block(fields));
export const priority = (id: number, dependency: number) =>
  frame(2, 0, id, Buffer.concat([uint32(dependency), Buffer.of(15)]));
export const reset = (id: number, code = 8) => frame(3, 0, id, uint32(code));
export const settings = (...pairs: readonly (readonly [number, number])[]) => {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [i, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(4, 0, 0, payload);
};
export const settingsAck = () => frame(4, ACK, 0);
export const ping = (text = "12345678", flags = 0) => frame(6, flags, 0, text);
export const goaway = (last: number, code = 0) => frame(7, 0, 0, uint32(last, code));
export const windowUpdate = (id: number, increment: number) => frame(8, 0, id, uint32(increment));
export const continuation = (id: number, payload: Buffer, flags = END_HEADERS) => frame(9, flags, id, payload);

export function fieldsText(fields: HeaderBlock): string {
  const parts: string[] = [];
  fields.forEach((name, value) => void parts.push(`${name}=${value}`));
  return parts.join(" ");
}

/** One line an event; the objects that a connection reuses are read at once. */
export function describeEvent<H extends { readonly kind: string; readonly headers: HeaderBlock }>(
  event: Http2Event<H>,
): string {
  switch (event.kind) {
    case "head":
    case "informational": {
      const { head, streamId } = event;
      const start =
        "status" in head
          ? `${head.status}`
          : "method" in head && "target" in head
            ? `${head.method} ${head.target}`
            : "";
      const framing = "framing" in head ? head.framing : "";
      return [`${streamId} ${event.kind} ${start} ${framing}`, fieldsText(head.headers)].join(" ").trimEnd();
    }
    case "body":
      return `${event.streamId} body ${event.buffer.toString("latin1", event.start, event.end)}`;
    case "trailers":
      return `${event.streamId} trailers ${fieldsText(event.headers)}`;
    case "end":
    case "window-available":
      return `${event.streamId} ${event.kind}`;
    case "reset":
      return `${event.streamId} reset ${http2ErrorName(event.code)}${event.isRemote ? " by peer" : ""}${event.isRefused ? " refused" : ""}`;
    case "goaway":
      return `goaway ${event.lastStreamId} ${http2ErrorName(event.code)}`;
    case "ping-ack":
      return `ping-ack ${event.token}`;
    case "settings":
      return "settings";
    case "error":
      return `error ${http2ErrorName(event.error.code)}${event.error.details === "http2.protocol_error" ? "" : ` ${event.error.details}`}`;
    case "need-data":
    case "closed":
      return event.kind;
  }
}

/** Reads what a connection wrote; keeps HPACK's state, so one reader per connection. */
export function createWireReader(): (bytes: Buffer) => string[] {
  const decoder = new HpackDecoder();
  return (bytes) => {
    const lines: string[] = [];
    let at = bytes.subarray(0, 3).toString() === "PRI" ? PREFACE.length : 0;
    while (at < bytes.length) {
      const length = bytes.readUIntBE(at, 3);
      const payload = bytes.subarray(at + 9, at + 9 + length);
      lines.push(describeFrame(decoder, bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, bytes.readUInt32BE(at + 5), payload));
      at += 9 + length;
    }
    return lines;
  };
}

function describeFrame(decoder: HpackDecoder, type: number, flags: number, id: number, payload: Buffer): string {
  const end = (flags & END_STREAM) !== 0 ? " end" : "";
  switch (type) {
    case 0:
      return `DATA ${id} ${payload.length > 40 ? payload.length : JSON.stringify(payload.toString("latin1"))}${end}`;
    case 1: {
      const fields: string[] = [];
      decoder.decode(payload, 0, payload.length, { field: (e) => void fields.push(`${e.name}=${e.value}`) });
      return `HEADERS ${id} ${fields.join(" ")}${end}`;
    }
    case 3:
      return `RST_STREAM ${id} ${http2ErrorName(payload.readUInt32BE(0))}`;
    case 4:
      return (flags & ACK) !== 0 ? "SETTINGS ack" : "SETTINGS";
    case 6:
      return (flags & ACK) !== 0 ? `PING ack ${payload.toString("latin1")}` : "PING";
    case 7:
      return `GOAWAY ${payload.readUInt32BE(0)} ${http2ErrorName(payload.readUInt32BE(4))}`;
    case 8:
      return `WINDOW_UPDATE ${id} ${payload.readUInt32BE(0)}`;
    default:
      return `frame ${type} of ${payload.length} on ${id}`;
  }
}
