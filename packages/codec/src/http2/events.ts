/**
 * What an HTTP/2 connection tells its caller, and what it is told: plain values, no sockets. How a proxy drives it: connection.ts.
 * The connection is pulled: feed() bytes, then call next() until it says "need-data". Heads extend the HTTP/1 ones, so that a router and
 * filters work on both: `target` is :path (:authority for CONNECT), `host` is in the headers, cookies are one field again.
 * Invariant: per stream one `head`, `body`*, at most one `trailers`, one `end`; a `reset` may end it anywhere, and nothing follows it;
 * 1xx responses come before the head as `informational`. Any split of the same bytes gives the same events (body pieces joined).
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import type { Framing, RequestHead, ResponseHead } from "../http1/events.ts";

/** framing: "none" (ended with the head), "length" (content-length), "chunked" (length not known), "tunnel" (CONNECT). */
export interface Http2RequestHead extends RequestHead {
  /** Lower case. "" for a plain CONNECT. */
  readonly scheme: string;
  /** :authority, else Host; "" when there was neither. */
  readonly authority: string;
  /** :protocol of an extended CONNECT (RFC 8441); `upgrade` says the same. */
  readonly protocol: string | undefined;
}
export type Http2ResponseHead = ResponseHead;

export interface Http2HeadEvent<H> {
  readonly kind: "head";
  readonly streamId: number;
  readonly head: H;
}
/** A 1xx response; the final head of the same stream is still to come. */
export interface Http2InformationalEvent<H> {
  readonly kind: "informational";
  readonly streamId: number;
  readonly head: H;
}
/**
 * Bytes [start, end) of `buffer`, which is the caller's own: valid until the next feed(). The object is reused. The peer may send as many
 * again once consume(streamId, end - start) was called; padding is given back without a call.
 */
export interface Http2BodyEvent {
  readonly kind: "body";
  readonly streamId: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}
export interface Http2TrailersEvent {
  readonly kind: "trailers";
  readonly streamId: number;
  readonly headers: HeaderBlock;
}
export interface Http2EndEvent {
  readonly kind: "end";
  readonly streamId: number;
}
/**
 * The stream is gone, in both directions. `isRemote`: the peer reset it (or refused it by GOAWAY), else the codec did because the peer broke
 * a rule. A request that was malformed from its head on is reset without a head event before it: its id is unknown to the caller.
 */
export interface Http2ResetEvent {
  readonly kind: "reset";
  readonly streamId: number;
  readonly code: number;
  readonly isRemote: boolean;
  /** The peer has certainly not acted on the request: it may be sent again elsewhere (RFC 9113 §8.7). */
  readonly isRefused: boolean;
  /** Envoy's response_code_details where it has one. */
  readonly details: string;
  readonly message: string;
}
export interface Http2GoawayEvent {
  readonly kind: "goaway";
  readonly lastStreamId: number;
  readonly code: number;
  readonly debug: string;
}
export interface Http2PingAckEvent {
  readonly kind: "ping-ack";
  readonly token: number;
}
/** The peer's settings have changed (or came first): maxConcurrentStreams may allow more streams. */
export interface Http2SettingsEvent {
  readonly kind: "settings";
  readonly settings: PeerSettings;
}
/** sendBody() took less than it was given, and would take more now. */
export interface Http2WindowEvent {
  readonly kind: "window-available";
  readonly streamId: number;
}
/** The connection is broken; GOAWAY is in the output: write it and close. next() says so for ever. */
export interface Http2ErrorEvent {
  readonly kind: "error";
  readonly error: Http2Error;
}
/** need-data: all bytes were read. closed: finish() was called. */
export interface Http2SignalEvent {
  readonly kind: "need-data" | "closed";
}

export type Http2Event<H> =
  | Http2HeadEvent<H>
  | Http2InformationalEvent<H>
  | Http2BodyEvent
  | Http2TrailersEvent
  | Http2EndEvent
  | Http2ResetEvent
  | Http2GoawayEvent
  | Http2PingAckEvent
  | Http2SettingsEvent
  | Http2WindowEvent
  | Http2ErrorEvent
  | Http2SignalEvent;

export interface Http2Error {
  readonly code: number;
  readonly details: string;
  readonly message: string;
}

/** What the peer allows us, with RFC 9113's defaults until it says otherwise. */
export interface PeerSettings {
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
  readonly maxHeaderListSize: number;
  readonly enableConnectProtocol: boolean;
}

/** A request to send. `host` in the headers is left out; so is what belongs to an HTTP/1 connection. */
export interface Http2OutgoingRequest {
  readonly method: string;
  /** `http` or `https`; left out for a plain CONNECT. */
  readonly scheme: string;
  /** Default: the headers' host. */
  readonly authority?: string;
  /** :path; for a plain CONNECT, the authority. */
  readonly target: string;
  readonly protocol?: string;
  readonly headers: HeaderBlock;
  /** Where the headers have no content-length, it is added: when framing is "length", or left out. */
  readonly contentLength?: number;
  readonly framing?: Framing;
}

/** An HTTP/1 response head fits as it is. */
export interface Http2OutgoingResponse {
  readonly status: number;
  readonly headers: HeaderBlock;
  readonly contentLength?: number;
  readonly framing?: Framing;
}
