/** Requests over the client codec and a socket, for interop tests: whole bodies up and down, within the peer's windows. */
import { connect, type Socket } from "node:net";
import type { HeaderBlock } from "../src/headers/header-block.ts";
import { createHeaderBlock } from "../src/headers/text-header-block.ts";
import { createHttp2Connection, type Http2ClientConnection } from "../src/http2/connection.ts";
import type { Http2OutgoingRequest } from "../src/http2/events.ts";
import { driveHttp2 } from "./http2-rim.ts";

export interface Answer {
  status: number;
  informational: number[];
  headers: HeaderBlock;
  body: Buffer;
  trailers: HeaderBlock | undefined;
  /** Undefined when the response was whole. */
  reset: { readonly code: number; readonly isRefused: boolean } | undefined;
}

interface Pending extends Answer {
  pieces: Buffer[];
  upload: Buffer;
  uploadTrailers: HeaderBlock | undefined;
  done: (answer: Answer) => void;
}

export interface EchoClient {
  readonly connection: Http2ClientConnection;
  readonly goaways: number[];
  request(head: Partial<Http2OutgoingRequest>, upload?: Buffer, trailers?: HeaderBlock): Promise<Answer>;
  close(): void;
}

export function connectHttp2(port: number): EchoClient {
  const socket: Socket = connect(port, "127.0.0.1");
  const connection = createHttp2Connection({ role: "client", monotonic: () => performance.now() });
  const streams = new Map<number, Pending>();
  const queue: (() => void)[] = [];
  const goaways: number[] = [];
  const upload = (id: number, stream: Pending) => {
    const taken = connection.sendBody(id, stream.upload, 0, stream.upload.length);
    stream.upload = stream.upload.subarray(taken);
    if (stream.upload.length > 0) return;
    if (stream.uploadTrailers === undefined) connection.endStream(id);
    else connection.sendTrailers(id, stream.uploadTrailers);
  };
  const openQueued = () => {
    while (queue.length > 0 && connection.canOpenStream) queue.shift()?.();
  };
  const settle = (id: number, reset: Answer["reset"]) => {
    const stream = streams.get(id);
    streams.delete(id);
    if (stream === undefined) return;
    stream.body = Buffer.concat(stream.pieces);
    stream.reset = reset;
    stream.done(stream);
    openQueued();
  };
  const rim = driveHttp2(socket, connection, (event) => {
    const stream = "streamId" in event ? streams.get(event.streamId) : undefined;
    switch (event.kind) {
      case "informational":
        stream?.informational.push(event.head.status);
        return;
      case "head":
        if (stream === undefined) return;
        stream.status = event.head.status;
        stream.headers = event.head.headers;
        return;
      case "body":
        stream?.pieces.push(Buffer.from(event.buffer.subarray(event.start, event.end)));
        connection.consume(event.streamId, event.end - event.start);
        return;
      case "trailers":
        if (stream !== undefined) stream.trailers = event.headers;
        return;
      case "window-available":
        if (stream !== undefined) upload(event.streamId, stream);
        return;
      case "end":
        settle(event.streamId, undefined);
        return;
      case "reset":
        settle(event.streamId, event);
        return;
      case "goaway":
        goaways.push(event.lastStreamId);
        return;
      case "settings":
        openQueued();
        return;
      case "error":
      case "closed":
        for (const id of [...streams.keys()]) settle(id, { code: -1, isRefused: false });
    }
  });
  return {
    connection,
    goaways,
    request: (head, body, trailers) =>
      new Promise((done) => {
        const open = () => {
          const isEnd = body === undefined && trailers === undefined;
          const headers = head.headers ?? createHeaderBlock();
          const id = connection.sendRequest(
            { method: isEnd ? "GET" : "POST", scheme: "http", authority: "h", target: "/", ...head, headers },
            isEnd,
          );
          const stream: Pending = {
            status: 0,
            informational: [],
            headers,
            body: Buffer.alloc(0),
            trailers: undefined,
            reset: undefined,
            pieces: [],
            upload: body ?? Buffer.alloc(0),
            uploadTrailers: trailers,
            done,
          };
          streams.set(id, stream);
          if (!isEnd) upload(id, stream);
        };
        queue.push(open);
        openQueued();
        rim.flush();
      }),
    close: () => socket.destroy(),
  };
}
