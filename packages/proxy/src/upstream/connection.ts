/**
 * One HTTP/1.1 connection to an upstream host, carrying one request at a time. It pumps the sans-io reader and tells its stream what came;
 * it goes back to the pool only after the whole response was read, the whole request was written, and nothing followed the response.
 */
import {
  createHttp1Writer,
  createResponseReader,
  ENVOY_READER_OPTIONS,
  type HeaderBlock,
  type Http1Writer,
  type OutgoingRequest,
  type ResponseReader,
} from "@argyle/codec";
import type { Clock } from "@argyle/core";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { Transport, TransportHandler } from "../io/transport.ts";
import type { ResetReason } from "../local-reply.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import type { UpstreamSide, UpstreamStreamHandler } from "./upstream-side.ts";

export interface ConnectionOwner {
  onConnectionFree(connection: UpstreamConnection): void;
  onConnectionClosed(connection: UpstreamConnection, wasRemote: boolean): void;
  onIdle(connection: UpstreamConnection): void;
}

const SMALL_BODY = 16 * 1024;
/** Envoy is more patient with responses than with requests. */
const READER_OPTIONS = { ...ENVOY_READER_OPTIONS, maxHeadBytes: 80 * 1024 };

export class UpstreamConnection implements UpstreamSide, TransportHandler, TimerOwner {
  readonly transport: Transport;
  readonly localAddress: string;
  readonly peerPrincipal: string | undefined;
  readonly idleTimer: WheelEntry;
  requests = 0;
  isClosed = false;
  /** When bytes came last, on the monotonic clock. */
  lastRead = 0;
  readonly #owner: ConnectionOwner;
  readonly #stats: ClusterStats;
  readonly #clock: Clock;
  readonly #reader: ResponseReader;
  readonly #writer: Http1Writer;
  #stream: UpstreamStreamHandler | undefined;
  #out = "";
  #isRequestDone = true;
  #isReusable = true;
  #isTunnel = false;
  #needsDrain = false;

  constructor(
    transport: Transport,
    localAddress: string,
    peerPrincipal: string | undefined,
    owner: ConnectionOwner,
    stats: ClusterStats,
    clock: Clock,
  ) {
    this.transport = transport;
    this.localAddress = localAddress;
    this.peerPrincipal = peerPrincipal;
    this.#owner = owner;
    this.#stats = stats;
    this.#clock = clock;
    this.#reader = createResponseReader(READER_OPTIONS);
    this.#writer = createHttp1Writer();
    this.idleTimer = new WheelEntry(this);
    transport.start(this);
  }

  get isBusy(): boolean {
    return this.#stream !== undefined;
  }

  /** Writes the head (gathered until flush) and binds the stream. */
  begin(stream: UpstreamStreamHandler, head: OutgoingRequest): void {
    this.#stream = stream;
    this.requests += 1;
    this.#isRequestDone = false;
    this.#reader.nextMessage(head);
    this.#out += this.#writer.head(head);
  }

  /** False: the upstream is slow, stop reading the request until onUpstreamWritable. */
  writeBody(buffer: Buffer, start: number, end: number): boolean {
    if (this.isClosed) return true;
    if (this.#isTunnel) return this.#send(Buffer.from(buffer.subarray(start, end)));
    if (end - start + this.#out.length <= SMALL_BODY) {
      this.#out += this.#writer.bodyText(buffer, start, end);
      return true;
    }
    const wasRoomy = this.flush();
    return this.#send(this.#writer.body(buffer, start, end)) && wasRoomy;
  }

  endRequest(trailers: HeaderBlock | undefined): void {
    if (this.isClosed) return;
    this.#out += this.#writer.end(trailers);
    this.#isRequestDone = true;
  }

  flush(): boolean {
    if (this.#out === "") return !this.#needsDrain;
    const text = this.#out;
    this.#out = "";
    return this.#send(text);
  }

  /** Half-close, for tunnels. */
  endTunnel(): void {
    this.transport.end();
  }

  /** The stream does not want the rest: the connection can't be used again. */
  abandon(): void {
    this.#stream = undefined;
    this.close(false);
  }

  close(wasRemote: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.transport.destroy();
    this.#owner.onConnectionClosed(this, wasRemote);
  }

  pause(): void {
    this.transport.pause();
  }

  resume(): void {
    this.transport.resume();
  }

  onTimer(): void {
    this.#owner.onIdle(this);
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.lastRead = this.#clock.monotonic();
    this.#stats.cxRxBytes.add(end - start);
    if (this.#stream === undefined) {
      // Bytes nobody asked for: the peer is confused, and the next request must not get them.
      this.close(true);
      return;
    }
    this.#reader.feed(buffer, start, end);
    this.#pump();
  }

  onReadEnd(): void {
    if (this.#stream === undefined) {
      this.close(true);
      return;
    }
    this.#reader.finish();
    this.#isReusable = false;
    this.#pump();
  }

  onDrain(): void {
    this.#needsDrain = false;
    this.#stream?.onUpstreamWritable();
  }

  onClosed(_error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const stream = this.#stream;
    this.#stream = undefined;
    this.#owner.onConnectionClosed(this, true);
    if (stream === undefined) return;
    stream.onUpstreamReset(
      this.#reader.isMidMessage && !this.#isTunnel
        ? { kind: "protocol-error", detail: "the connection ended within a message" }
        : { kind: "termination" },
    );
  }

  #send(data: string | Buffer): boolean {
    this.#stats.cxTxBytes.add(data.length);
    const isRoomy = this.transport.write(data);
    if (!isRoomy) this.#needsDrain = true;
    return isRoomy;
  }

  // hot: one call per read of the socket.
  #pump(): void {
    const reader = this.#reader;
    for (;;) {
      const stream = this.#stream;
      if (stream === undefined) return;
      const event = reader.next();
      switch (event.kind) {
        case "need-data":
          stream.onUpstreamPause();
          return;
        case "head":
          if (!event.head.keepAlive) this.#isReusable = false;
          this.#isTunnel = event.head.framing === "tunnel";
          stream.onUpstreamHead(event.head);
          break;
        case "informational":
          stream.onUpstreamInformational(event.head);
          break;
        case "body":
          stream.onUpstreamBody(event.buffer, event.start, event.end);
          break;
        case "trailers":
          stream.onUpstreamTrailers(event.headers);
          break;
        case "end":
          this.#complete(stream);
          return;
        case "paused":
        case "closed":
          this.#fail({ kind: "termination" });
          return;
        case "error":
          this.#fail({ kind: "protocol-error", detail: event.error.message });
          return;
      }
    }
  }

  #complete(stream: UpstreamStreamHandler): void {
    const after = this.#reader.next();
    this.#stream = undefined;
    // Anything after the response (`error`), an unfinished request, or a closing peer: never pooled.
    // The end may have come in the same read as the bytes that filled the downstream: the next stream must not find it paused.
    this.transport.resume();
    const isClean = after.kind === "paused" && this.#isReusable && this.#isRequestDone && !this.#writer.mustClose;
    if (isClean && !this.#isTunnel) this.#owner.onConnectionFree(this);
    else this.close(!this.#isReusable);
    stream.onUpstreamEnd();
  }

  #fail(reason: ResetReason): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.close(true);
    stream?.onUpstreamReset(reason);
  }
}
