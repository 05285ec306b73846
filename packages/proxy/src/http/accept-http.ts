/**
 * Which HTTP a client's connection speaks, and the connection that serves it: codec_type, else what ALPN agreed on, else the first bytes
 * (HTTP/2's preface, or anything else for HTTP/1). https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/overview
 */
import { sniffPreface } from "../io/sniff-http.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { Transport, TransportHandler } from "../io/transport.ts";
import { DownstreamConnection } from "./downstream-connection.ts";
import type { DownstreamFacts } from "./downstream-facts.ts";
import type { HttpContext } from "./http-context.ts";
import { Http2DownstreamConnection } from "./http2-downstream-connection.ts";

export interface AcceptedHttp {
  /** Where the protocol can do it without losing a request: tells the client to go elsewhere. */
  drain(): void;
}

export function acceptHttp(
  context: HttpContext,
  facts: DownstreamFacts,
  transport: Transport,
  peeked: Buffer | undefined,
  onClose: () => void,
): AcceptedHttp {
  const { codecType } = context.config;
  const alpn = facts.tls?.alpn;
  if (codecType === "HTTP2" || (codecType === "AUTO" && alpn === "h2"))
    return new Http2DownstreamConnection(context, facts, transport, peeked, onClose);
  if (codecType === "AUTO" && alpn === undefined) {
    const seen = peeked === undefined ? "need-more" : sniffPreface(peeked);
    if (seen === "h2c") return new Http2DownstreamConnection(context, facts, transport, peeked, onClose);
    if (seen === "need-more") return new UndecidedConnection(context, facts, transport, peeked, onClose);
  }
  new DownstreamConnection(context, facts, transport, peeked, onClose);
  return HTTP1;
}

/** HTTP/1.1 says `connection: close` with its next response, by itself. */
const HTTP1: AcceptedHttp = { drain: () => undefined };

/** Waits for the first bytes. */
class UndecidedConnection implements AcceptedHttp, TransportHandler, TimerOwner {
  readonly #context: HttpContext;
  readonly #facts: DownstreamFacts;
  readonly #transport: Transport;
  readonly #onClose: () => void;
  readonly #idle: WheelEntry;
  #bytes: Buffer | undefined;
  #decided: AcceptedHttp | undefined;
  #isOver = false;

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
    this.#bytes = peeked !== undefined && peeked.length > 0 ? peeked : undefined;
    this.#idle = new WheelEntry(this);
    const { idleTimeoutMs, maxConnectionDurationMs } = context.config;
    const waits = [idleTimeoutMs, maxConnectionDurationMs].filter((ms) => ms > 0);
    if (waits.length > 0) context.wheel.arm(this.#idle, Math.min(...waits));
    context.stats.cxActive.add(1);
    transport.start(this);
  }

  drain(): void {
    this.#decided?.drain();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    const piece = buffer.subarray(start, end);
    const bytes = this.#bytes === undefined ? piece : Buffer.concat([this.#bytes, piece]);
    const seen = sniffPreface(bytes);
    if (seen === "need-more") {
      // Copied: the buffer is the transport's.
      this.#bytes = Buffer.from(bytes);
      return;
    }
    this.#context.wheel.cancel(this.#idle);
    this.#bytes = undefined;
    // From here on the connection of the protocol counts itself.
    this.#isOver = true;
    this.#context.stats.cxActive.add(-1);
    if (seen === "h2c")
      this.#decided = new Http2DownstreamConnection(this.#context, this.#facts, this.#transport, bytes, this.#onClose);
    else new DownstreamConnection(this.#context, this.#facts, this.#transport, bytes, this.#onClose);
  }

  onReadEnd(): void {
    this.#end();
  }

  onDrain(): void {}

  onClosed(_error: Error | undefined): void {
    this.#end();
  }

  onTimer(): void {
    this.#end();
  }

  /** Nothing was asked. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { stats, wheel } = this.#context;
    wheel.cancel(this.#idle);
    stats.cxTotal.add(1);
    stats.cxActive.add(-1);
    this.#transport.destroy();
    this.#onClose();
  }
}
