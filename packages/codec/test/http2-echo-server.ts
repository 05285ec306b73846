/**
 * A server on the codec: /echo gives the body back with its trailers, /big/<bytes> sends so many, everything else answers "ok".
 * Peers that are run against it: http2-interop.test.ts (node:http2), http2-peers.test.ts (h2load, nghttp, h2spec where installed).
 */
import { createServer, type Server } from "node:net";
import type { HeaderBlock } from "../src/headers/header-block.ts";
import { createHeaderBlock } from "../src/headers/text-header-block.ts";
import { createHttp2Connection, type Http2ServerConnection } from "../src/http2/connection.ts";
import type { Http2Options } from "../src/http2/options.ts";
import { driveHttp2 } from "./http2-rim.ts";

interface EchoStream {
  readonly path: string;
  readonly isEcho: boolean;
  /** Not yet sent. */
  waiting: Buffer[];
  big: number;
  trailers: HeaderBlock | undefined;
  isEnded: boolean;
}

const FILL = Buffer.alloc(64 * 1024, "x");

export function serveHttp2(
  options: Partial<Http2Options> = {},
  onConnection?: (connection: Http2ServerConnection, flush: () => void) => void,
): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    const connection = createHttp2Connection({ role: "server", monotonic: () => performance.now(), ...options });
    const streams = new Map<number, EchoStream>();
    const send = (id: number, stream: EchoStream) => {
      while (stream.big > 0) {
        const size = Math.min(stream.big, FILL.length);
        const taken = connection.sendBody(id, FILL, 0, size);
        stream.big -= taken;
        if (taken < size) return;
      }
      for (let first = stream.waiting[0]; first !== undefined; first = stream.waiting[0]) {
        const taken = connection.sendBody(id, first, 0, first.length);
        connection.consume(id, taken);
        if (taken < first.length) {
          stream.waiting[0] = first.subarray(taken);
          return;
        }
        stream.waiting.shift();
      }
      if (!stream.isEnded) return;
      streams.delete(id);
      if (stream.trailers === undefined) connection.endStream(id);
      else connection.sendTrailers(id, stream.trailers);
    };
    const rim = driveHttp2(socket, connection, (event) => {
      switch (event.kind) {
        case "head": {
          const { head, streamId } = event;
          const big = /^\/big\/(\d+)$/.exec(head.target);
          const isEcho = head.target === "/echo";
          streams.set(streamId, {
            path: head.target,
            isEcho,
            waiting: [],
            big: Number(big?.[1] ?? 0),
            trailers: undefined,
            isEnded: false,
          });
          const headers = createHeaderBlock([
            ["content-type", "text/plain"],
            ["x-method", head.method],
          ]);
          const echoed = head.headers.get("x-echo");
          if (echoed !== undefined) headers.add("x-echo", echoed);
          if (head.headers.has("x-early"))
            connection.sendInformational(streamId, { status: 103, headers: createHeaderBlock([["link", "</a>"]]) });
          connection.sendResponse(streamId, { status: 200, headers }, head.method === "HEAD");
          if (head.method === "HEAD") streams.delete(streamId);
          return;
        }
        case "body": {
          const stream = streams.get(event.streamId);
          if (stream?.isEcho !== true) {
            connection.consume(event.streamId, event.end - event.start);
            return;
          }
          stream.waiting.push(Buffer.from(event.buffer.subarray(event.start, event.end)));
          send(event.streamId, stream);
          return;
        }
        case "trailers": {
          const stream = streams.get(event.streamId);
          if (stream !== undefined) stream.trailers = event.headers;
          return;
        }
        case "end": {
          const stream = streams.get(event.streamId);
          if (stream === undefined) return;
          stream.isEnded = true;
          if (!stream.isEcho && stream.big === 0) stream.waiting.push(Buffer.from("ok"));
          send(event.streamId, stream);
          return;
        }
        case "window-available": {
          const stream = streams.get(event.streamId);
          if (stream !== undefined) send(event.streamId, stream);
          return;
        }
        case "reset":
          streams.delete(event.streamId);
          return;
      }
    });
    onConnection?.(connection, () => rim.flush());
  });
}
