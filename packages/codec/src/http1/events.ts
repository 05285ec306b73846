/**
 * What an HTTP/1 reader tells its caller, and what a writer is given: plain values, no sockets.
 * The reader is pulled: feed() bytes, then call next() until it says "need-data", "paused", "closed" or "error".
 * Invariant: for every message exactly one `head`, then `body`*, at most one `trailers`, then one `end`; interim (1xx) responses come
 * before the head of their request as `informational`. Any split of the same bytes gives the same events (body pieces joined).
 * RFC 9112; errors carry the status that Envoy answers with (400 Bad Request, 426, 431, 501).
 */
import type { HeaderBlock } from "../headers/header-block.ts";

/** How the end of a body is found (RFC 9112 §6.3). `tunnel`: raw bytes until close, after CONNECT or 101. */
export type Framing = "none" | "length" | "chunked" | "until-close" | "tunnel";

export interface RequestHead {
  readonly kind: "request";
  readonly method: string;
  /** The request target as sent: `/path?query`, `http://host/path`, `host:port` (CONNECT) or `*`. */
  readonly target: string;
  /** HTTP/1.x */
  readonly minor: 0 | 1;
  readonly headers: HeaderBlock;
  readonly framing: Framing;
  /** Bytes of body to come when framing is "length", else 0. */
  readonly contentLength: number;
  /** The connection may carry another message after this one (version and Connection header). */
  readonly keepAlive: boolean;
  readonly expectContinue: boolean;
  /** The wanted protocol when `Connection: upgrade` and Upgrade are both there, as sent (`websocket`). */
  readonly upgrade: string | undefined;
}

export interface ResponseHead {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly headers: HeaderBlock;
  readonly framing: Framing;
  readonly contentLength: number;
  readonly keepAlive: boolean;
}

export interface HeadEvent<H> {
  readonly kind: "head";
  readonly head: H;
}
/** A 1xx response other than 101; the final head of the same request is still to come. */
export interface InformationalEvent<H> {
  readonly kind: "informational";
  readonly head: H;
}
/** A piece of the body: bytes [start, end) of `buffer`, which is the caller's own: valid until the next feed(). The object is reused. */
export interface BodyEvent {
  readonly kind: "body";
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}
export interface TrailersEvent {
  readonly kind: "trailers";
  readonly headers: HeaderBlock;
}
export interface ErrorEvent {
  readonly kind: "error";
  readonly error: CodecError;
}
/**
 * need-data: all bytes were read. end: the message is complete. paused: the next message waits for nextMessage() (or startTunnel()).
 * closed: finish() was called and no message was cut.
 */
export interface SignalEvent {
  readonly kind: "need-data" | "end" | "paused" | "closed";
}

export type ReaderEvent<H> =
  | HeadEvent<H>
  | InformationalEvent<H>
  | BodyEvent
  | TrailersEvent
  | SignalEvent
  | ErrorEvent;
export type RequestEvent = ReaderEvent<RequestHead>;
export type ResponseEvent = ReaderEvent<ResponseHead>;

export type CodecErrorCode =
  | "invalid-method"
  | "invalid-target"
  | "invalid-version"
  | "unsupported-version"
  | "invalid-status"
  | "invalid-start-line"
  | "invalid-header-name"
  | "invalid-header-value"
  | "invalid-line-end"
  | "folded-header"
  | "head-too-large"
  | "too-many-headers"
  | "invalid-host"
  | "invalid-content-length"
  | "body-not-allowed"
  | "unwanted-upgrade"
  | "invalid-transfer-encoding"
  | "unsupported-transfer-encoding"
  | "length-and-transfer-encoding"
  | "invalid-chunk-size"
  | "invalid-chunk-extension"
  | "invalid-chunk-end"
  | "data-after-close"
  | "unexpected-response"
  | "cut-message";

/** A peer broke the protocol. The connection cannot be used any more. */
export interface CodecError {
  readonly code: CodecErrorCode;
  /** Envoy's local reply for a request: 400, 426, 431 or 501. For a response the proxy answers 502 (UPE), whatever this says. */
  readonly status: 400 | 426 | 431 | 501;
  /** Envoy's response_code_details where it has one, else `http1.codec_error`. */
  readonly details: string;
  readonly message: string;
}

export interface ReaderLimits {
  /** Start line and headers, all bytes. Envoy: 60 KiB. The same limit holds for trailers and for one chunk-size line (at most 16 KiB). */
  readonly maxHeadBytes: number;
  /** Envoy: 100. */
  readonly maxHeaders: number;
}

export interface ReaderOptions extends Partial<ReaderLimits> {
  /** "chunked-only": any other transfer coding is refused (Envoy: 501). "any" (default): refused only where chunked is not the last one. */
  readonly transferCodings?: "chunked-only" | "any";
  /**
   * A body announced where none can be: of CONNECT, 1xx and 204; and a 101 that names no protocol or that nobody asked for.
   * "ignore" (default): read as if it were not announced.
   */
  readonly bodiless?: "refuse" | "ignore";
  /** Keep the case of header names as sent. Default false: names are lower-cased (in place, in the caller's buffer), as Envoy does. */
  readonly preserveCase?: boolean;
}

/** What Envoy's HTTP/1 codec does by default; the proxy uses these. */
export const ENVOY_READER_OPTIONS = {
  maxHeadBytes: 60 * 1024,
  maxHeaders: 100,
  transferCodings: "chunked-only",
  bodiless: "refuse",
} as const satisfies ReaderOptions;

interface Reader<E> {
  /** Gives the next bytes. They must stay unchanged until next() says need-data or retain() was called. Only after need-data or retain(). */
  feed(buffer: Buffer, start: number, end: number): void;
  next(): E;
  /** Copies the bytes that were not read yet, so that the caller may reuse its buffer while the reader is paused. */
  retain(): void;
  /** The peer sent its end of stream (FIN): ends an until-close body, or makes next() say "closed" or "error" (cut-message). */
  finish(): void;
  /** From "paused": everything that follows is bytes of a tunnel, given as body events without end until finish(). */
  startTunnel(): void;
}

export interface RequestReader extends Reader<RequestEvent> {
  /** From "paused" (after each `end`): go on with the next, perhaps pipelined, request. The first one needs no call. */
  nextMessage(): void;
  /** True when at least one byte of a message has been read that is not complete: an idle time-out must answer 408, not just close. */
  readonly isMidMessage: boolean;
}

/** The request a response belongs to: its method decides the framing (HEAD, CONNECT), and only one that asked for an upgrade may get 101. */
export interface ResponseContext {
  readonly method: string;
  /** Default true: a reader that does not know lets 101 pass. */
  readonly wantsUpgrade?: boolean;
}

export interface ResponseReader extends Reader<ResponseEvent> {
  /** Must be called once per request sent, also for the first, before its response is read; bytes without it are "unexpected-response". */
  nextMessage(context: ResponseContext): void;
  readonly isMidMessage: boolean;
}

/** A head to be written. The writer adds content-length, transfer-encoding and connection where the headers lack them. */
export interface OutgoingRequest {
  readonly kind: "request";
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderBlock;
  readonly framing: Framing;
  readonly contentLength?: number;
  /** False: 101 would be an answer to something else. */
  readonly wantsUpgrade?: boolean;
  /** Adds `connection: close`. */
  readonly close?: boolean;
}

export interface OutgoingResponse {
  readonly kind: "response";
  readonly status: number;
  /** Default: the registered phrase of the status. */
  readonly reason?: string;
  readonly headers: HeaderBlock;
  readonly framing: Framing;
  readonly contentLength?: number;
  readonly close?: boolean;
  /** The request's method: a response to HEAD has headers of a body but none. */
  readonly requestMethod?: string;
  /** HTTP/1.x of the request that is answered: towards 1.0 nothing is chunked and keep-alive is said aloud. Default 1. */
  readonly requestMinor?: 0 | 1;
}

/** Writes messages one after the other; the state of the current body is checked (never more or fewer bytes than announced). */
export interface Http1Writer {
  /** The whole head as latin1 text; append bodyText() to it and write once with "latin1". */
  head(head: OutgoingRequest | OutgoingResponse): string;
  /** A piece of the body, framed, as latin1 text (for small bodies). "" when the message has no body (HEAD). */
  bodyText(buffer: Buffer, start: number, end: number): string;
  /** A piece of the body, framed, as a Buffer of its own (a copy: the caller's read buffer may be reused at once). */
  body(buffer: Buffer, start: number, end: number): Buffer;
  /** The end of the message: "" or the last chunk and trailers. Throws codec.http1.short-body when bytes are missing. */
  end(trailers?: HeaderBlock): string;
  /** The connection must be closed after end(): until-close body, tunnel or `close`. */
  readonly mustClose: boolean;
}
