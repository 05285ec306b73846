/**
 * One HTTP/2 connection from a client: pumps the sans-io codec and runs a stream for each request. What the streams write is gathered and sent
 * with one write per turn of the event loop (io/http2-link.ts).
 *
 *   open ─► draining (GOAWAY said: idle, max_connection_duration, max_requests, or the listener drains) ─► closed when the last stream is gone
 * Time-outs share one wheel entry per connection, which looks at what is due.
 */
import {
  createHttp2Connection,
  Http2ErrorCode,
  type Http2Event,
  type Http2RequestHead,
  type Http2ServerConnection,
} from "@argyle/codec";
import { Http2Link } from "../io/http2-link.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { Transport, TransportHandler } from "../io/transport.ts";
import type { DownstreamFacts } from "./downstream-facts.ts";
import { endGracefully } from "./graceful-end.ts";
import type { HttpContext } from "./http-context.ts";
import { Http2DownstreamStream, type Http2StreamOwner } from "./http2-downstream-stream.ts";
import { asTunnelRequest } from "./http2-upgrade.ts";
import { HttpStream } from "./stream.ts";
import { StreamState } from "./stream-state.ts";

const MAX_TICK_MS = 5000;

export class Http2DownstreamConnection implements TransportHandler, Http2StreamOwner, TimerOwner {
  readonly codec: Http2ServerConnection;
  readonly link: Http2Link;
  readonly #context: HttpContext;
  readonly #facts: DownstreamFacts;
  readonly #transport: Transport;
  readonly #onClose: () => void;
  readonly #timer: WheelEntry;
  readonly #streams = new Map<number, Http2DownstreamStream>();
  readonly #openedAt: number;
  #touched: Http2DownstreamStream[] = [];
  #lastActivity: number;
  /** When the last stream ended; pings do not count. */
  #idleSince: number;
  #requests = 0;
  #isClosing = false;
  #isPumping = false;
  /** When draining began; the second GOAWAY follows it at the latest after drain_timeout. */
  #drainingSince: number | undefined;
  #isDrainForced = false;

  constructor(
    context: HttpContext,
    facts: DownstreamFacts,
    transport: Transport,
    peeked: Buffer | undefined,
    onClose: () => void,
  ) {
    this.#context = context;
    this.#facts = facts;
    this.#transport = transport;
    this.#onClose = onClose;
    const { config, clock, stats } = context;
    this.codec = createHttp2Connection({
      role: "server",
      settings: config.http2.settings,
      limits: { ...config.http2.limits, maxHeaderListBytes: config.maxRequestHeadBytes },
      monotonic: () => clock.monotonic(),
    });
    this.link = new Http2Link(this.codec, transport);
    this.#timer = new WheelEntry(this);
    this.#openedAt = clock.monotonic();
    this.#lastActivity = this.#openedAt;
    this.#idleSince = this.#openedAt;
    stats.cxTotal.add(1);
    stats.cxActive.add(1);
    stats.cxHttp2Total.add(1);
    stats.cxHttp2Active.add(1);
    this.#arm();
    this.link.schedule();
    transport.start(this, peeked);
  }

  now(): number {
    return this.#context.clock.monotonic();
  }

  /** Says GOAWAY; requests under way are answered, then the connection closes. */
  drain(): void {
    if (this.#drainingSince !== undefined || this.#isClosing) return;
    this.#drainingSince = this.now();
    this.codec.drain();
    this.#context.stats.http2.goawaySent.add(1);
    this.link.schedule();
    this.#closeIfDrained();
    if (!this.#isClosing) this.#arm();
  }

  // ── transport ──

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosing) return;
    this.#lastActivity = this.now();
    this.codec.feed(buffer, start, end);
    this.#pump();
  }

  onReadEnd(): void {
    this.onClosed(undefined);
  }

  onDrain(): void {
    this.link.onDrain();
  }

  onClosed(_error: Error | undefined): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#resetAll("downstream_remote_disconnect", "DC");
    this.#leave();
    this.#transport.destroy();
  }

  onTimer(): void {
    const { config } = this.#context;
    const now = this.now();
    if (config.maxConnectionDurationMs > 0 && now - this.#openedAt >= config.maxConnectionDurationMs) this.drain();
    if (this.#streams.size === 0 && config.idleTimeoutMs > 0 && now - this.#idleSince >= config.idleTimeoutMs)
      this.drain();
    const isDrainDue = this.#drainingSince !== undefined && now - this.#drainingSince >= config.drainTimeoutMs;
    if (isDrainDue && !this.#isDrainForced) {
      this.#isDrainForced = true;
      this.codec.goaway(Http2ErrorCode.noError);
      this.link.schedule();
      this.#closeIfDrained();
    }
    if (this.#isClosing) return;
    for (const stream of [...this.#streams.values()]) this.#checkIdle(stream, now);
    this.#arm();
  }

  // ── for the streams ──

  onStreamGone(stream: Http2DownstreamStream): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#context.stats.http2.streamsActive.add(-1);
    if (this.#streams.size > 0) return;
    this.#idleSince = this.#lastActivity;
    if (!this.#isPumping) this.#closeIfDrained();
  }

  // ── reading ──

  // hot: one call per read of the socket.
  #pump(): void {
    const { codec } = this;
    this.#isPumping = true;
    for (;;) {
      const event = codec.next();
      if (event.kind === "need-data" || event.kind === "closed") break;
      if (event.kind === "error") {
        this.#fail(event.error.details);
        return;
      }
      this.#onEvent(event);
      if (this.#isClosing) return;
    }
    this.#flushTouched();
    this.#isPumping = false;
    if (codec.hasOutput) this.link.schedule();
    if (this.#drainingSince !== undefined) this.#closeIfDrained();
  }

  #onEvent(event: Http2Event<Http2RequestHead>): void {
    const { http2 } = this.#context.stats;
    switch (event.kind) {
      case "head":
        this.#begin(event.streamId, event.head);
        return;
      case "body": {
        const stream = this.#touch(event.streamId);
        if (stream === undefined) this.codec.consume(event.streamId, event.end - event.start);
        else stream.onBody(event.buffer, event.start, event.end);
        return;
      }
      case "trailers": {
        const stream = this.#streams.get(event.streamId);
        if (stream !== undefined) stream.trailers = event.headers;
        http2.trailers.add(1);
        return;
      }
      case "end":
        this.#touch(event.streamId)?.onEnd();
        return;
      case "reset":
        (event.isRemote ? http2.rxReset : http2.rxMessagingError).add(1);
        this.#streams.get(event.streamId)?.onReset(event.details, event.isRemote ? "DC" : "DPE");
        return;
      case "window-available":
        this.#streams.get(event.streamId)?.onWindow();
        return;
      case "goaway":
        // The client opens no more streams; it closes when it has its answers.
        return;
      case "informational":
      case "settings":
      case "ping-ack":
      case "need-data":
      case "closed":
      case "error":
        return;
    }
  }

  #begin(id: number, head: Http2RequestHead): void {
    const { clock, stats, config } = this.#context;
    this.#requests += 1;
    const isTunnel = head.method === "CONNECT";
    const request = isTunnel ? asTunnelRequest(head) : head;
    const stream = new Http2DownstreamStream(this, id, isTunnel, this.#lastActivity);
    const { headers, method, target } = request;
    const state = new StreamState(this.#facts, headers, method, target, "HTTP/2", clock.now(), this.#lastActivity);
    const http = new HttpStream(this.#context, stream, state, request);
    stream.http = http;
    this.#streams.set(id, stream);
    stats.http2.streamsActive.add(1);
    stats.rqHttp2Total.add(1);
    stream.isTouched = true;
    this.#touched.push(stream);
    http.start();
    // What follows the head is the tunnel's.
    if (isTunnel && !http.isDone) http.onRequestEnd(undefined);
    if (config.maxRequestsPerConnection > 0 && this.#requests >= config.maxRequestsPerConnection) this.drain();
  }

  #touch(id: number): Http2DownstreamStream | undefined {
    const stream = this.#streams.get(id);
    if (stream === undefined) return undefined;
    stream.lastActivity = this.#lastActivity;
    if (!stream.isTouched) {
      stream.isTouched = true;
      this.#touched.push(stream);
    }
    return stream;
  }

  #flushTouched(): void {
    const touched = this.#touched;
    for (let i = 0; i < touched.length; i += 1) {
      const stream = touched[i];
      if (stream === undefined) continue;
      stream.isTouched = false;
      stream.http?.onDownstreamPause();
    }
    touched.length = 0;
  }

  // ── the end ──

  /** The client broke the protocol, or floods us: GOAWAY says why. */
  #fail(details: string): void {
    const { stats } = this.#context;
    stats.cxProtocolError.add(1);
    stats.http2.goawaySent.add(1);
    stats.http2.flood(details);
    this.#isClosing = true;
    this.#resetAll(details, "DPE");
    this.#leave();
    this.link.writeAll();
    endGracefully(this.#transport, this.#context.wheel, false);
  }

  #resetAll(details: string, flag: string): void {
    for (const stream of [...this.#streams.values()]) stream.onReset(details, flag);
    this.#touched = [];
  }

  #closeIfDrained(): void {
    if (this.#isClosing || this.#streams.size > 0 || !this.codec.isDrained) return;
    this.#isClosing = true;
    this.#leave();
    this.link.writeAll();
    endGracefully(this.#transport, this.#context.wheel, false);
  }

  #checkIdle(stream: Http2DownstreamStream, now: number): void {
    const { http } = stream;
    const { streamIdleTimeoutMs } = this.#context.config;
    const action = http?.route?.action;
    const limit = action?.kind === "route" ? (action.idleTimeoutMs ?? streamIdleTimeoutMs) : streamIdleTimeoutMs;
    if (limit === 0 || now - Math.max(stream.lastActivity, http?.lastActivity ?? 0) < limit) return;
    if (http !== undefined) http.onIdleTimeout();
    else {
      // Answered, but the client does not take the answer.
      this.codec.resetStream(stream.id, Http2ErrorCode.noError);
      this.link.schedule();
      stream.onReset("stream_idle_timeout", "SI");
    }
  }

  #arm(): void {
    const { config, wheel } = this.#context;
    const waits = [config.idleTimeoutMs, config.streamIdleTimeoutMs].filter((ms) => ms > 0);
    if (config.maxConnectionDurationMs > 0 && this.#drainingSince === undefined)
      waits.push(Math.max(1, this.#openedAt + config.maxConnectionDurationMs - this.now()));
    if (this.#drainingSince !== undefined && !this.#isDrainForced)
      waits.push(Math.max(1, this.#drainingSince + config.drainTimeoutMs - this.now()));
    for (const stream of this.#streams.values()) {
      const action = stream.http?.route?.action;
      if (action?.kind === "route" && action.idleTimeoutMs !== undefined && action.idleTimeoutMs > 0)
        waits.push(action.idleTimeoutMs);
    }
    wheel.arm(this.#timer, Math.min(...waits, MAX_TICK_MS));
  }

  #leave(): void {
    const { stats, wheel } = this.#context;
    wheel.cancel(this.#timer);
    stats.cxActive.add(-1);
    stats.cxHttp2Active.add(-1);
    this.#onClose();
  }
}
