/**
 * The server side of SPDY/3.1 as Kubernetes clients speak it, over any byte stream (a socket after 101, or WebSocket messages). Streams are opened by the
 * client and become Duplexes. No flow control: Go's spdystream neither sends nor honours WINDOW_UPDATE, so only the transport's own backpressure counts.
 * Frames are worked on strictly in order, because header blocks share one zlib context. Source: SPDY protocol draft 3.1.
 */
import { Duplex } from "node:stream";
import { createHeaderCodec, type SpdyHeaders } from "./spdy-headers.ts";

export interface SpdyStream {
  readonly headers: SpdyHeaders;
  readonly body: Duplex;
}

export interface SpdyConnection {
  close(): void;
}

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FLAG_FIN = 1;
const MAX_FRAME_BYTES = 16 * 1024;
/** Above this the transport is paused until the stream's reader has caught up. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export function acceptSpdy(
  transport: Duplex,
  onStream: (stream: SpdyStream) => void,
  onClose: () => void,
): SpdyConnection {
  const codec = createHeaderCodec();
  const streams = new Map<number, Duplex>();
  let buffered: Buffer = Buffer.alloc(0);
  let work: Promise<void> = Promise.resolve();
  let isClosed = false;

  const close = () => {
    if (isClosed) return;
    isClosed = true;
    for (const stream of streams.values()) stream.destroy();
    streams.clear();
    transport.destroy();
    codec.close();
    onClose();
  };
  const send = (frame: Buffer, done?: (error?: Error | null) => void) => {
    if (isClosed || !transport.writable) done?.(new Error("the connection is closed"));
    else transport.write(frame, done);
  };

  const openStream = (id: number): Duplex => {
    const stream = new Duplex({
      read: () => void (transport.isPaused() && transport.resume()),
      write(chunk: Buffer, _encoding, done) {
        for (let at = 0; at < chunk.length; at += MAX_FRAME_BYTES) {
          const piece = chunk.subarray(at, at + MAX_FRAME_BYTES);
          const isLast = at + MAX_FRAME_BYTES >= chunk.length;
          send(dataFrame(id, 0, piece), isLast ? done : undefined);
        }
        if (chunk.length === 0) done();
      },
      final: (done) => send(dataFrame(id, FLAG_FIN, Buffer.alloc(0)), () => done()),
    });
    // A reset by the client or the end of the connection: whoever uses the stream sees `close`.
    stream.on("error", () => undefined);
    stream.on("close", () => streams.delete(id));
    streams.set(id, stream);
    return stream;
  };

  const onControl = async (type: number, flags: number, body: Buffer) => {
    if (type === SYN_STREAM) {
      const id = body.readUInt32BE(0) & 0x7fffffff;
      const headers = await codec.decode(body.subarray(10));
      send(controlFrame(SYN_REPLY, 0, Buffer.concat([uint32(id), await codec.encode({})])));
      const stream = openStream(id);
      if ((flags & FLAG_FIN) !== 0) stream.push(null);
      onStream({ headers, body: stream });
    } else if (type === RST_STREAM) streams.get(body.readUInt32BE(0) & 0x7fffffff)?.destroy();
    else if (type === PING) send(controlFrame(PING, 0, body));
    else if (type === GOAWAY) transport.end();
  };

  const onData = (id: number, flags: number, body: Buffer) => {
    const stream = streams.get(id);
    if (stream === undefined) return;
    if (body.length > 0) stream.push(body);
    if (stream.readableLength > MAX_BUFFERED_BYTES) transport.pause();
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
  };

  transport.on("data", (chunk: Buffer) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    while (buffered.length >= 8) {
      const length = buffered.readUIntBE(5, 3);
      if (buffered.length < 8 + length) break;
      const first = buffered.readUInt32BE(0);
      const flags = buffered[4] ?? 0;
      const body = buffered.subarray(8, 8 + length);
      buffered = buffered.subarray(8 + length);
      const isControl = first >= 0x80000000;
      work = work
        .then(() => (isControl ? onControl(first & 0xffff, flags, body) : onData(first, flags, body)))
        .catch(close);
    }
  });
  transport.on("error", close);
  transport.on("close", () => void work.then(close));
  transport.on("end", () => void work.then(close));
  return { close };
}

export function dataFrame(id: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id, 0);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

export function controlFrame(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE((0x8003_0000 | type) >>> 0, 0);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
