/**
 * One HTTP/2 connection to an upstream host, carrying many requests. It pumps the sans-io codec, tells each stream what came, and tells its pool
 * when there is room for more streams, when it takes no more (GOAWAY, max_requests_per_connection), and when it is closed.
 */
import {
  createHttp2Connection,
  type Http2ClientConnection,
  Http2ErrorCode,
  type Http2Event,
  type Http2OutgoingRequest,
  type Http2ResponseHead,
} from "@argyle/codec";
import { errnoOf } from "@argyle/core";
import { endGracefully } from "../http/graceful-end.ts";
import { Http2Keepalive } from "../io/http2-keepalive.ts";
import { Http2Link } from "../io/http2-link.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { TransportHandler } from "../io/transport.ts";
import type { ResetReason } from "../local-reply.ts";
import type { Http2Stats } from "../stats/http2-stats.ts";
import type { Dialed } from "./dialer.ts";
import { Http2UpstreamStream, NOT_OPENED } from "./http2-stream.ts";
import type { ClusterUsage } from "./request-pool.ts";

export interface Http2ConnectionOwner {
  /** A stream ended, or the server allows more: requests that wait may go on. */
  onRoom(connection: Http2UpstreamConnection): void;
  onConnectionClosed(connection: Http2UpstreamConnection, wasRemote: boolean): void;
}

export class Http2UpstreamConnection implements TransportHandler, TimerOwner {
  readonly codec: Http2ClientConnection;
  readonly link: Http2Link;
  readonly localAddress: string;
  readonly peerPrincipal: string | undefined;
  lastRead = 0;
  readonly #owner: Http2ConnectionOwner;
  readonly #cluster: ClusterUsage;
  readonly #stats: Http2Stats;
  readonly #streams = new Map<number, Http2UpstreamStream>();
  readonly #idle: WheelEntry;
  readonly #keepalive: Http2Keepalive | undefined;
  #touched: Http2UpstreamStream[] = [];
  /** Streams that were given out and have not sent their head. */
  #reserved = 0;
  #requests = 0;
  #isDraining = false;
  #isClosed = false;

  constructor(dialed: Dialed, owner: Http2ConnectionOwner, cluster: ClusterUsage) {
    const { transport, localAddress, peerPrincipal } = dialed;
    const { config, stats, wheel, clock } = cluster;
    this.localAddress = localAddress;
    this.peerPrincipal = peerPrincipal;
    this.#owner = owner;
    this.#cluster = cluster;
    this.#stats = stats.http2;
    const { settings, limits, keepalive } = config.http2;
    this.codec = createHttp2Connection({ role: "client", settings, limits, monotonic: clock.monotonic });
    this.link = new Http2Link(this.codec, transport, (bytes) => stats.cxTxBytes.add(bytes));
    this.#idle = new WheelEntry(this);
    this.#keepalive =
      keepalive === undefined
        ? undefined
        : new Http2Keepalive(keepalive, this.link, wheel, () => {
            this.#stats.keepaliveTimeout.add(1);
            this.#close({ kind: "termination" }, false);
          });
    this.link.schedule();
    transport.start(this);
    this.#armIdle();
  }

  get hasRoom(): boolean {
    if (this.#isClosed || this.#isDraining || !this.codec.canOpenStream) return false;
    const most = Math.min(this.codec.peerSettings.maxConcurrentStreams, this.#cluster.config.http2.maxStreams);
    return this.codec.openStreams + this.#reserved < most;
  }

  /** A stream for one request; only while hasRoom. */
  take(): Http2UpstreamStream {
    const { maxRequestsPerConnection } = this.#cluster.config;
    const { stats, wheel } = this.#cluster;
    wheel.cancel(this.#idle);
    this.#reserved += 1;
    this.#requests += 1;
    if (maxRequestsPerConnection > 0 && this.#requests >= maxRequestsPerConnection) {
      stats.cxMaxRequests.add(1);
      this.#isDraining = true;
    }
    return new Http2UpstreamStream(this);
  }

  /** No further stream; closes when the last one ends. */
  drain(): void {
    this.#isDraining = true;
    this.#closeIfDone();
  }

  // ── for the streams ──

  /** NOT_OPENED: the connection takes no stream any more; the stream hears of it afterwards. */
  open(stream: Http2UpstreamStream, head: Http2OutgoingRequest, isEnd: boolean): number {
    this.#reserved -= 1;
    const isRefused = head.protocol !== undefined && !this.codec.peerSettings.enableConnectProtocol;
    const id = this.#isClosed || isRefused ? 0 : this.codec.sendRequest(head, isEnd);
    if (id === 0) {
      const reason: ResetReason = isRefused
        ? { kind: "protocol-error", detail: "the server does not take extended CONNECT" }
        : { kind: "termination" };
      queueMicrotask(() => stream.onReset(reason));
      return NOT_OPENED;
    }
    this.#streams.set(id, stream);
    this.#stats.streamsActive.add(1);
    this.link.schedule();
    return id;
  }

  consume(id: number, bytes: number): void {
    this.codec.consume(id, bytes);
    if (this.codec.hasOutput) this.link.schedule();
  }

  /** `code`: with RST_STREAM. */
  leave(stream: Http2UpstreamStream, code: number | undefined): void {
    if (stream.id === 0) this.#reserved -= 1;
    else if (this.#streams.delete(stream.id)) {
      const http2 = this.#stats;
      http2.streamsActive.add(-1);
      if (code !== undefined && !this.#isClosed) {
        http2.txReset.add(1);
        this.codec.resetStream(stream.id, code);
        this.link.schedule();
      }
    }
    if (this.#isClosed) return;
    if (this.#isDraining) this.#closeIfDone();
    else {
      this.#owner.onRoom(this);
      this.#armIdle();
    }
  }

  // ── transport and timer ──

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.lastRead = this.#cluster.clock.monotonic();
    this.#cluster.stats.cxRxBytes.add(end - start);
    this.codec.feed(buffer, start, end);
    this.#pump();
  }

  onReadEnd(): void {
    this.onClosed(undefined);
  }

  onDrain(): void {
    this.link.onDrain();
  }

  onClosed(error: Error | undefined): void {
    const isReset = error !== undefined && errnoOf(error) === "ECONNRESET";
    this.#close({ kind: isReset ? "remote-reset" : "termination" }, true);
  }

  onTimer(): void {
    if (this.#streams.size + this.#reserved === 0) this.drain();
  }

  // hot: one call per read of the socket.
  #pump(): void {
    const { codec } = this;
    for (;;) {
      if (this.#isClosed) return;
      const event = codec.next();
      if (event.kind === "need-data" || event.kind === "closed") break;
      if (event.kind === "error") {
        this.link.writeAll();
        this.#cluster.stats.cxProtocolError.add(1);
        this.#close({ kind: "protocol-error", detail: event.error.message }, false);
        return;
      }
      this.#onEvent(event);
    }
    const touched = this.#touched;
    for (let i = 0; i < touched.length; i += 1) {
      const stream = touched[i];
      if (stream === undefined) continue;
      stream.isTouched = false;
      stream.onPause();
    }
    touched.length = 0;
    if (codec.hasOutput) this.link.schedule();
  }

  #onEvent(event: Http2Event<Http2ResponseHead>): void {
    const http2 = this.#stats;
    switch (event.kind) {
      case "head":
        this.#touch(event.streamId)?.onHead(event.head);
        return;
      case "informational":
        this.#touch(event.streamId)?.onInformational(event.head);
        return;
      case "body": {
        const stream = this.#touch(event.streamId);
        if (stream === undefined) this.codec.consume(event.streamId, event.end - event.start);
        else stream.onBody(event.buffer, event.start, event.end);
        return;
      }
      case "trailers":
        http2.trailers.add(1);
        this.#touch(event.streamId)?.onTrailers(event.headers);
        return;
      case "end":
        this.#touch(event.streamId)?.onEnd();
        return;
      case "reset":
        (event.isRemote ? http2.rxReset : http2.rxMessagingError).add(1);
        this.#streams.get(event.streamId)?.onReset(resetReason(event.isRemote, event.isRefused, event.message));
        return;
      case "window-available":
        this.#streams.get(event.streamId)?.onWindow();
        return;
      case "goaway":
        this.#cluster.stats.cxCloseNotify.add(1);
        this.drain();
        return;
      case "settings":
        this.#owner.onRoom(this);
        return;
      case "ping-ack":
        this.#keepalive?.onAck(event.token);
        return;
      case "need-data":
      case "closed":
      case "error":
        return;
    }
  }

  #touch(id: number): Http2UpstreamStream | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined && !stream.isTouched) {
      stream.isTouched = true;
      this.#touched.push(stream);
    }
    return stream;
  }

  #armIdle(): void {
    const { config, wheel } = this.#cluster;
    if (config.idleTimeoutMs > 0 && this.#streams.size + this.#reserved === 0 && !this.#isClosed)
      wheel.arm(this.#idle, config.idleTimeoutMs);
  }

  #closeIfDone(): void {
    if (this.#isClosed || this.#streams.size + this.#reserved > 0) return;
    this.codec.goaway(Http2ErrorCode.noError);
    this.#stats.goawaySent.add(1);
    this.link.writeAll();
    this.#close({ kind: "termination" }, false);
  }

  #close(reason: ResetReason, wasRemote: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cluster.wheel.cancel(this.#idle);
    this.#keepalive?.stop();
    const { transport } = this.link;
    if (wasRemote) transport.destroy();
    else endGracefully(transport, this.#cluster.wheel, false);
    this.#owner.onConnectionClosed(this, wasRemote);
    for (const stream of [...this.#streams.values()]) stream.onReset(reason);
    this.#touched = [];
  }
}

function resetReason(isRemote: boolean, isRefused: boolean, message: string): ResetReason {
  if (!isRemote) return { kind: "protocol-error", detail: message };
  return isRefused ? { kind: "refused" } : { kind: "remote-reset" };
}
