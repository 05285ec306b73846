/**
 * One HTTP/1.1 connection from a client: pumps the sans-io reader, runs one stream at a time (pipelined requests wait in the reader), gathers
 * what the stream writes and sends it with one write per batch of input.
 * Time-outs share one wheel entry per connection: each firing looks at the last activity, so a request costs no timer operation.
 */
import {
  createHttp1Writer,
  createRequestReader,
  ENVOY_READER_OPTIONS,
  type HeaderBlock,
  type Http1Writer,
  type OutgoingResponse,
  type RequestHead,
  type RequestReader,
  type ResponseHead,
} from "@argyle/codec";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { Transport, TransportHandler } from "../io/transport.ts";
import { codecError, LOCAL_REPLY } from "../local-reply.ts";
import type { DownstreamFacts } from "./downstream-facts.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import { createErrorHead } from "./error-head.ts";
import { endGracefully } from "./graceful-end.ts";
import type { HttpContext } from "./http-context.ts";
import { HttpStream } from "./stream.ts";
import { StreamState } from "./stream-state.ts";

const SMALL_BODY = 16 * 1024;
/** Pipelined bytes that wait for the current request; beyond it the socket is not read. */
const MAX_WAITING_BYTES = 64 * 1024;

export class DownstreamConnection implements TransportHandler, DownstreamSide, TimerOwner {
  readonly #context: HttpContext;
  readonly #facts: DownstreamFacts;
  readonly #transport: Transport;
  readonly #reader: RequestReader;
  readonly #writer: Http1Writer;
  readonly #idle: WheelEntry;
  readonly #onClose: () => void;
  #stream: HttpStream | undefined;
  #trailers: HeaderBlock | undefined;
  #out = "";
  #isPumping = false;
  #isRequestRead = false;
  /** The stream of the request that is being read is done. */
  #isAnsweredMidRequest = false;
  #isResponseOpen = false;
  #requests = 0;
  #closesAfterStream = false;
  #isClosing = false;
  #waitingBytes = 0;
  lastActivity: number;
  readonly #openedAt: number;
  #isTunnel = false;
  #isReadEnded = false;
  #needsDrain = false;

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
    this.#reader = createRequestReader({
      ...ENVOY_READER_OPTIONS,
      maxHeadBytes: context.config.maxRequestHeadBytes,
      maxHeaders: context.config.maxRequestHeaders,
    });
    this.#writer = createHttp1Writer();
    this.#idle = new WheelEntry(this);
    this.lastActivity = context.clock.monotonic();
    this.#openedAt = this.lastActivity;
    context.stats.cxTotal.add(1);
    context.stats.cxActive.add(1);
    this.#armIdle();
    transport.start(this, peeked);
  }

  // ── transport ──

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.lastActivity = this.#context.clock.monotonic();
    if (this.#isClosing) return;
    this.#reader.feed(buffer, start, end);
    if (this.#stream !== undefined && this.#isRequestRead && !this.#isTunnel) {
      this.#waitingBytes += end - start;
      if (this.#waitingBytes > MAX_WAITING_BYTES) this.#transport.pause();
      if (!this.#isPumping) this.#reader.retain();
      return;
    }
    this.#pump();
  }

  onReadEnd(): void {
    this.#isReadEnded = true;
    this.#reader.finish();
    const stream = this.#stream;
    if (this.#isTunnel) this.#pump();
    else if (stream === undefined) this.#close();
    // A client that ends its side while we answer has gone away, as Envoy sees it for HTTP/1.
    else this.onClosed(undefined);
  }

  onDrain(): void {
    this.#needsDrain = false;
    this.#stream?.onDownstreamWritable();
  }

  onClosed(_error: Error | undefined): void {
    // First: the end of the stream must not make us read, or answer, what is left of a cut request.
    this.#close();
    this.#stream?.onDownstreamReset("downstream_remote_disconnect");
  }

  onTimer(): void {
    const { config, clock } = this.#context;
    const stream = this.#stream;
    const now = clock.monotonic();
    if (config.maxConnectionDurationMs > 0 && now - this.#openedAt >= config.maxConnectionDurationMs) {
      if (stream === undefined) {
        this.#close();
        return;
      }
      this.#closesAfterStream = true;
    }
    if (stream === undefined) {
      const quiet = now - this.lastActivity;
      const isHeadDue =
        this.#reader.isMidMessage && config.requestHeadersTimeoutMs > 0 && quiet >= config.requestHeadersTimeoutMs;
      if (isHeadDue) this.#answerWithoutStream(LOCAL_REPLY.headerTimeout);
      else if (config.idleTimeoutMs > 0 && quiet >= config.idleTimeoutMs) this.#close();
      else this.#armIdle();
      return;
    }
    const limit =
      stream.route?.action.kind === "route"
        ? (stream.route.action.idleTimeoutMs ?? config.streamIdleTimeoutMs)
        : config.streamIdleTimeoutMs;
    const quiet = now - Math.max(this.lastActivity, stream.lastActivity);
    if (limit > 0 && quiet >= limit) stream.onIdleTimeout();
    else this.#armIdle();
  }

  // ── for the stream ──

  sendInformational(head: Pick<ResponseHead, "status" | "headers">): void {
    if (this.#isClosing) return;
    this.#out += this.#writer.head({ kind: "response", status: head.status, headers: head.headers, framing: "none" });
  }

  sendHead(head: OutgoingResponse): void {
    if (this.#isClosing) return;
    this.#isResponseOpen = true;
    const { maxRequestsPerConnection } = this.#context.config;
    const stream = this.#stream;
    const isLast = this.#closesAfterStream || stream?.head.keepAlive === false;
    const close =
      head.framing !== "tunnel" &&
      (isLast || (maxRequestsPerConnection > 0 && this.#requests >= maxRequestsPerConnection));
    this.#out += this.#writer.head(close ? { ...head, close } : head);
    if (close || head.close === true) this.#closesAfterStream = true;
  }

  sendBody(buffer: Buffer, start: number, end: number): boolean {
    if (this.#isClosing) return true;
    if (this.#isTunnel) return this.#send(Buffer.from(buffer.subarray(start, end)));
    if (end - start + this.#out.length <= SMALL_BODY) {
      this.#out += this.#writer.bodyText(buffer, start, end);
      return true;
    }
    const wasRoomy = this.flush();
    return this.#send(this.#writer.body(buffer, start, end)) && wasRoomy;
  }

  sendEnd(trailers: HeaderBlock | undefined): void {
    if (this.#isClosing) return;
    this.#out += this.#writer.end(trailers);
    this.#isResponseOpen = false;
    if (this.#writer.mustClose) this.#closesAfterStream = true;
  }

  flush(): boolean {
    if (this.#out === "") return !this.#needsDrain;
    const text = this.#out;
    this.#out = "";
    return this.#send(text);
  }

  reset(): void {
    this.flush();
    this.#close();
  }

  closeAfterStream(): void {
    this.#closesAfterStream = true;
  }

  pauseReading(): void {
    this.#transport.pause();
  }

  resumeReading(): void {
    if (this.#waitingBytes <= MAX_WAITING_BYTES) this.#transport.resume();
  }

  startTunnel(): void {
    this.#isTunnel = true;
    this.#reader.startTunnel();
    if (!this.#isPumping) this.#pump();
  }

  onStreamDone(now: number): void {
    this.#stream = undefined;
    // A pipelined request that waited begins now, not when its bytes came.
    this.lastActivity = now;
    if (this.#isClosing) return;
    if (this.#closesAfterStream || this.#isResponseOpen) {
      this.flush();
      this.#endGracefully();
      return;
    }
    if (this.#isRequestRead) this.#awaitNextRequest();
    else this.#isAnsweredMidRequest = true;
    this.#transport.resume();
    if (!this.#isPumping) this.#pump();
  }

  #awaitNextRequest(): void {
    this.#isRequestRead = false;
    this.#isAnsweredMidRequest = false;
    this.#waitingBytes = 0;
    this.#reader.nextMessage();
  }

  // ── reading ──

  // hot: one call per read of the socket.
  #pump(): void {
    const reader = this.#reader;
    this.#isPumping = true;
    for (;;) {
      if (this.#isClosing) break;
      const event = reader.next();
      if (event.kind === "head") {
        this.#begin(event.head);
      } else if (event.kind === "body") {
        this.#stream?.onRequestBody(event.buffer, event.start, event.end);
      } else if (event.kind === "trailers") {
        this.#trailers = event.headers;
      } else if (event.kind === "end") {
        const trailers = this.#trailers;
        this.#trailers = undefined;
        this.#isRequestRead = true;
        // Answered before its end was read (a local reply): what was left of it is dropped, and the connection is good for the next.
        if (this.#stream === undefined) this.#awaitNextRequest();
        else if (this.#isTunnel) this.#stream?.onTunnelEnd();
        else this.#stream?.onRequestEnd(trailers);
      } else if (event.kind === "need-data" || event.kind === "paused") {
        if (event.kind === "paused") reader.retain();
        this.#stream?.onDownstreamPause();
        // Answered, and the rest of the request has not come: as Envoy, not waited for.
        if (this.#stream === undefined && this.#isAnsweredMidRequest) this.#endGracefully();
        break;
      } else if (event.kind === "closed") {
        if (this.#stream === undefined) this.#close();
        break;
      } else if (event.kind === "error") {
        this.#onCodecError(event.error.status, event.error.details);
        break;
      }
    }
    this.#isPumping = false;
  }

  #begin(head: RequestHead): void {
    const { clock } = this.#context;
    this.#requests += 1;
    this.#isRequestRead = false;
    const protocol = head.minor === 1 ? "HTTP/1.1" : "HTTP/1.0";
    const state = new StreamState(
      this.#facts,
      head.headers,
      head.method,
      head.target,
      protocol,
      clock.now(),
      this.lastActivity,
    );
    const stream = new HttpStream(this.#context, this, state, head);
    this.#stream = stream;
    stream.start();
    // A route may be less patient than the connection, whose timer runs already.
    if (stream.route?.action.kind === "route" && stream.route.action.idleTimeoutMs !== undefined) this.#armIdle();
  }

  #onCodecError(status: number, details: string): void {
    this.#context.stats.cxProtocolError.add(1);
    const stream = this.#stream;
    if (stream !== undefined) stream.sendLocalReply(codecError(status, details));
    else this.#answerWithoutStream(codecError(status, details));
  }

  /** The head could not be read, so there is no request: a stream of nothing carries the answer, its log line and its metrics. */
  #answerWithoutStream(reply: Parameters<HttpStream["sendLocalReply"]>[0]): void {
    const head = createErrorHead();
    const now = this.#context.clock.monotonic();
    const state = new StreamState(this.#facts, head.headers, "", "", "HTTP/1.1", this.#context.clock.now(), now);
    const stream = new HttpStream(this.#context, this, state, head);
    this.#stream = stream;
    this.#closesAfterStream = true;
    stream.sendLocalReply(reply);
  }

  #armIdle(): void {
    const { config, wheel } = this.#context;
    const waits = [config.idleTimeoutMs, config.streamIdleTimeoutMs, config.requestHeadersTimeoutMs].filter(
      (ms) => ms > 0,
    );
    const routeIdle =
      this.#stream?.route?.action.kind === "route" ? this.#stream.route.action.idleTimeoutMs : undefined;
    if (routeIdle !== undefined && routeIdle > 0) waits.push(routeIdle);
    if (config.maxConnectionDurationMs > 0 && !this.#closesAfterStream)
      waits.push(Math.max(1, this.#openedAt + config.maxConnectionDurationMs - this.#context.clock.monotonic()));
    if (waits.length > 0) wheel.arm(this.#idle, Math.min(...waits, 5000));
  }

  #send(data: string | Buffer): boolean {
    const isRoomy = this.#transport.write(data);
    if (!isRoomy) this.#needsDrain = true;
    return isRoomy;
  }

  #endGracefully(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#leave();
    endGracefully(this.#transport, this.#context.wheel, this.#isReadEnded);
  }

  #close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#leave();
    this.#transport.destroy();
  }

  #leave(): void {
    this.#context.wheel.cancel(this.#idle);
    this.#context.stats.cxActive.add(-1);
    this.#onClose();
  }
}
