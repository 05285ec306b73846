/**
 * One HTTP/2 connection, server's or client's side, without a socket (RFC 9113). How a proxy drives it, per connection:
 *
 * 1. Create it, write takeOutput() at once (SETTINGS; a client's preface).
 * 2. On every read: feed(buffer, start, end), then next() until "need-data". Body events point into the buffer: pass them on, or copy, before
 *    the next feed(). Commands may be called between two next(), of this or of any other connection.
 * 3. Once per turn of the event loop, when something was read or commanded (hasOutput): write takeOutput() with one socket.write. Do this only
 *    while the socket is drained: what waits here is counted against the flood budgets and bounded by them, what is in the socket is not.
 * 4. Forwarding a body: n = to.sendBody(id, buffer, start, end); then from.consume(id, n). When n is less than there was, keep a copy of the
 *    rest (at most the stream's window: the sender can't send more before consume()), and send it on "window-available". So a slow receiver
 *    stops its sender and nobody else. Towards HTTP/1: consume() when the socket took the bytes.
 * 5. "error": write takeOutput() (it holds GOAWAY) and close. "reset": drop the stream; commands on it are ignored from then on.
 * 6. The socket ended: finish(), and every stream that the caller still has is cut.
 * 7. To shut down: drain() says GOAWAY with the highest id, so that no request under way is lost, and once the peer has answered the PING
 *    behind it GOAWAY with the real one; close when isDrained. Call goaway() to force the second step after a time-out.
 * Time-outs (SETTINGS, idle, streams) are the caller's: it has the clock.
 *
 * | a stream is       | after                                   | peer's HEADERS / DATA lead to       |
 * | ----------------- | --------------------------------------- | ----------------------------------- |
 * | idle              |                                         | head / connection error             |
 * | open              | a head without END_STREAM               | trailers / body                     |
 * | receive-ended     | END_STREAM from the peer                | stream error STREAM_CLOSED          |
 * | send-ended        | END_STREAM from us                      | trailers / body                     |
 * | gone, by the peer | both ended, or RST_STREAM from the peer | connection error / RST_STREAM       |
 * | gone, by us       | RST_STREAM from us                      | nothing (HPACK and windows apart)   |
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import { ConnectionState } from "./connection-state.ts";
import type {
  Http2Event,
  Http2OutgoingRequest,
  Http2OutgoingResponse,
  Http2RequestHead,
  Http2ResponseHead,
  PeerSettings,
} from "./events.ts";
import { FrameMachine } from "./frame-machine.ts";
import type { Http2Options } from "./options.ts";
import { takeRequest, takeResponse } from "./take-head.ts";

/** What both sides can do. */
export interface Http2Connection<H> {
  /** Gives the next bytes; only after next() said need-data. */
  feed(buffer: Buffer, start: number, end: number): void;
  next(): Http2Event<H>;
  /** The peer ended its side. */
  finish(): void;
  /** Everything gathered since the last call, for one write. The bytes are the caller's: they never change again. */
  takeOutput(): Buffer;
  readonly hasOutput: boolean;
  /** Bytes that takeOutput() would give: the caller stops its sources when it can't write. */
  readonly outputLength: number;
  /** Sends what the peer's windows allow, copied; returns how many bytes that was. `isEnd`: END_STREAM with the last one. */
  sendBody(streamId: number, buffer: Buffer, start: number, end: number, isEnd?: boolean): number;
  sendTrailers(streamId: number, trailers: HeaderBlock): void;
  endStream(streamId: number): void;
  resetStream(streamId: number, code: number): void;
  /** The caller is done with so many bytes of body events. */
  consume(streamId: number, bytes: number): void;
  /** `token`: below 2^48, comes back with ping-ack. */
  ping(token: number): void;
  /** GOAWAY with the last stream that was taken: later ones are refused, earlier ones go on. Closing is the caller's. */
  goaway(code: number, debug?: string): void;
  /** The graceful two-step GOAWAY (see 7 above). */
  drain(): void;
  /** GOAWAY was said by either side, and no stream is left. */
  readonly isDrained: boolean;
  readonly openStreams: number;
  readonly peerSettings: PeerSettings;
}

export interface Http2ServerConnection extends Http2Connection<Http2RequestHead> {
  sendResponse(streamId: number, head: Http2OutgoingResponse, isEnd: boolean): void;
  /** A 1xx other than 101. */
  sendInformational(streamId: number, head: Http2OutgoingResponse): void;
}

export interface Http2ClientConnection extends Http2Connection<Http2ResponseHead> {
  /** Opens a stream; 0 when the peer allows no more now (wait for an `end`, `reset` or `settings`), or never (GOAWAY). */
  sendRequest(head: Http2OutgoingRequest, isEnd: boolean): number;
  readonly canOpenStream: boolean;
}

export function createHttp2Connection(options: Http2Options & { readonly role: "server" }): Http2ServerConnection;
export function createHttp2Connection(options: Http2Options & { readonly role: "client" }): Http2ClientConnection;
export function createHttp2Connection(
  options: Http2Options & { readonly role: "server" | "client" },
): Http2ServerConnection | Http2ClientConnection {
  if (options.role === "server")
    return new FrameMachine(new ConnectionState<Http2RequestHead>("server", options), takeRequest);
  return new FrameMachine(new ConnectionState<Http2ResponseHead>("client", options), takeResponse);
}
