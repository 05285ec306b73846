/**
 * What the parts of one connection share: streams, windows, settings of both sides, the events that wait for next(), and the ways in which a
 * stream or the connection ends. Streams are only ever opened by clients (push is refused), so one table serves both roles.
 * Invariant: a byte of DATA counts against the connection window until it is consumed, or its stream is gone.
 */
import { Http2ErrorCode } from "./error-codes.ts";
import type { Http2ErrorEvent, Http2Event, PeerSettings } from "./events.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameWriter } from "./frame-writer.ts";
import { DEFAULT_WINDOW, MAX_FRAME_SIZE } from "./frames.ts";
import {
  DEFAULT_HTTP2_SETTINGS,
  ENVOY_HTTP2_LIMITS,
  type Http2Limits,
  type Http2Options,
  type Http2Settings,
} from "./options.ts";
import { Http2Stream } from "./stream.ts";

type Role = "server" | "client";

/** Streams we reset whose frames may still be under way; older ones are treated as closed by the peer. */
const MAX_REMEMBERED_RESETS = 512;
/** Until the server's SETTINGS have come, as nghttp2 assumes. */
const STREAMS_BEFORE_SETTINGS = 100;

export class ConnectionState<H> {
  readonly role: Role;
  readonly settings: Http2Settings;
  readonly limits: Http2Limits;
  readonly monotonic: () => number;
  readonly guard: FloodGuard;
  readonly writer: FrameWriter;
  readonly streams = new Map<number, Http2Stream>();
  peer: PeerSettings = {
    headerTableSize: 4096,
    maxConcurrentStreams: STREAMS_BEFORE_SETTINGS,
    initialWindowSize: DEFAULT_WINDOW,
    maxFrameSize: MAX_FRAME_SIZE,
    maxHeaderListSize: Number.POSITIVE_INFINITY,
    enableConnectProtocol: false,
  };
  sendWindow = DEFAULT_WINDOW;
  receiveWindow: number;
  /** Consumed and not yet announced. */
  credit = 0;
  /** What a new stream may receive: the larger of the default and ours until our SETTINGS are acknowledged. */
  streamReceiveWindow: number;
  /** Server: the highest stream the client opened. */
  lastRemoteId = 0;
  /** Client: the stream we open next. */
  nextLocalId = 1;
  /** The last stream of our final GOAWAY. */
  sentGoaway: number | undefined;
  hasReceivedGoaway = false;
  /** Streams that would send more once the connection window opens, the longest waiting first. */
  readonly waiting = new Set<Http2Stream>();
  error: Http2ErrorEvent | undefined;
  private readonly remembered = new Set<number>();
  private events: Http2Event<H>[] = [];
  private nextEvent = 0;

  constructor(role: Role, options: Http2Options) {
    this.role = role;
    this.settings = { ...DEFAULT_HTTP2_SETTINGS, ...options.settings };
    this.limits = { ...ENVOY_HTTP2_LIMITS, ...options.limits };
    this.monotonic = options.monotonic;
    this.guard = new FloodGuard(this.limits);
    this.writer = new FrameWriter(this.guard, 4096);
    this.receiveWindow = Math.max(DEFAULT_WINDOW, this.settings.initialConnectionWindow);
    this.streamReceiveWindow = Math.max(DEFAULT_WINDOW, this.settings.initialStreamWindow);
  }

  push(event: Http2Event<H>): void {
    this.events.push(event);
  }

  shift(): Http2Event<H> | undefined {
    if (this.nextEvent === this.events.length) return undefined;
    const event = this.events[this.nextEvent++];
    if (this.nextEvent === this.events.length) {
      this.events.length = 0;
      this.nextEvent = 0;
    }
    return event;
  }

  open(id: number, method: string): Http2Stream {
    const stream = new Http2Stream(id, this.peer.initialWindowSize, this.streamReceiveWindow, this.monotonic());
    stream.method = method;
    this.streams.set(id, stream);
    return stream;
  }

  /** Never used so far (RFC 9113 §5.1): most frames are then a connection error. */
  isIdle(streamId: number): boolean {
    if ((streamId & 1) === 0) return true;
    return this.role === "server" ? streamId > this.lastRemoteId : streamId >= this.nextLocalId;
  }

  /** We reset it not long ago, and the peer may not know yet. */
  wasReset(streamId: number): boolean {
    return this.remembered.has(streamId);
  }

  closeIfDone(stream: Http2Stream): void {
    if (!stream.isSendEnded || !stream.isReceiveEnded) return;
    this.guard.onStreamClosed();
    this.remove(stream);
  }

  /** Forgets the stream; what it held no longer counts against the connection. */
  remove(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.waiting.delete(stream);
    if (stream.held > 0) this.creditConnection(stream.held);
  }

  creditConnection(bytes: number): void {
    this.credit += bytes;
    if (this.credit * 2 < Math.max(DEFAULT_WINDOW, this.settings.initialConnectionWindow)) return;
    this.writer.windowUpdate(0, this.credit);
    this.receiveWindow += this.credit;
    this.credit = 0;
  }

  /** RST_STREAM from us; frames that come for it from now on are ignored. */
  resetStream(streamId: number, code: number): void {
    this.writer.resetStream(streamId, code);
    this.remembered.add(streamId);
    if (this.remembered.size > MAX_REMEMBERED_RESETS) {
      for (const oldest of this.remembered) {
        this.remembered.delete(oldest);
        break;
      }
    }
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.remove(stream);
  }

  /** The peer has reset it, too: nothing of it is under way any more. */
  forgetReset(streamId: number): void {
    this.remembered.delete(streamId);
  }

  /** The peer broke a rule on one stream. */
  failStream(streamId: number, code: number, message: string, details = "http2.violation.of.messaging.rule"): void {
    const stream = this.streams.get(streamId);
    this.resetStream(streamId, code);
    // A peer that makes us reset is no better than one that resets (CVE-2025-8671).
    if (stream !== undefined && this.role === "server") {
      const flood = this.guard.onReset(this.monotonic() - stream.openedAt);
      if (flood !== undefined) this.failCalm(flood);
    }
    const isRefused = code === Http2ErrorCode.refusedStream;
    this.push({ kind: "reset", streamId, code, isRemote: false, isRefused, details, message });
  }

  /** The peer broke a rule of the connection: GOAWAY, and nothing is read any more. */
  fail(code: number, message: string, details = "http2.protocol_error"): void {
    if (this.error !== undefined) return;
    this.writer.goaway(this.lastRemoteId, code, message);
    this.error = { kind: "error", error: { code, details, message } };
  }

  failCalm(details: string): void {
    this.fail(Http2ErrorCode.enhanceYourCalm, "the peer floods the connection", details);
  }
}
