/**
 * One stream of an HTTP/2 connection from a client, between the codec and the request's HttpStream. An extended CONNECT (RFC 8441) is given on as
 * the HTTP/1 upgrade that it means, so that filters, routes and HTTP/1 upstreams need not know of it.
 * Flow control: bytes of the request are given back to the client's window when the upstream takes them; while it does not, they are held.
 */
import { type HeaderBlock, Http2ErrorCode, type Http2ServerConnection, type OutgoingResponse } from "@argyle/codec";
import type { Http2Link } from "../io/http2-link.ts";
import { type Http2OutputOwner, Http2StreamOutput } from "../io/http2-stream-output.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import type { HttpStream } from "./stream.ts";

export interface Http2StreamOwner {
  readonly codec: Http2ServerConnection;
  readonly link: Http2Link;
  now(): number;
  /** Answered, and nothing more is sent on it. */
  onStreamGone(stream: Http2DownstreamStream): void;
}

export class Http2DownstreamStream implements DownstreamSide, Http2OutputOwner {
  readonly id: number;
  http: HttpStream | undefined;
  trailers: HeaderBlock | undefined;
  lastActivity: number;
  /** Listed to be flushed when all bytes at hand are read. */
  isTouched = false;
  isRequestRead = false;
  readonly #owner: Http2StreamOwner;
  readonly #output: Http2StreamOutput;
  readonly #isUpgrade: boolean;
  /** A head without a body yet: it goes out with its end where that follows at once. */
  #head: OutgoingResponse | undefined;
  /** Bytes of a tunnel that came before the upstream agreed to it. */
  #early: Buffer[] | undefined;
  #isTunnel = false;
  #isPaused = false;
  #held = 0;

  constructor(owner: Http2StreamOwner, id: number, isUpgrade: boolean, lastActivity: number) {
    this.#owner = owner;
    this.id = id;
    this.#isUpgrade = isUpgrade;
    this.lastActivity = lastActivity;
    this.#output = new Http2StreamOutput(owner.link, id, this);
  }

  // ── from the connection ──

  onBody(buffer: Buffer, start: number, end: number): void {
    const { http } = this;
    if (http !== undefined && this.#isUpgrade && !this.#isTunnel) {
      // Not given back: the window bounds them.
      this.#early ??= [];
      this.#early.push(Buffer.from(buffer.subarray(start, end)));
      this.#held += end - start;
      return;
    }
    http?.onRequestBody(buffer, start, end);
    if (this.#isPaused && this.http !== undefined) this.#held += end - start;
    else this.#owner.codec.consume(this.id, end - start);
  }

  onEnd(): void {
    this.isRequestRead = true;
    const { http } = this;
    if (http === undefined) return;
    if (!this.#isUpgrade) http.onRequestEnd(this.trailers);
    else if (this.#isTunnel) http.onTunnelEnd();
  }

  onWindow(): void {
    this.#output.resume();
  }

  onReset(details: string, flag: string): void {
    this.isRequestRead = true;
    this.#output.drop();
    if (this.http !== undefined) this.http.onDownstreamReset(details, flag);
    else this.#owner.onStreamGone(this);
  }

  // ── for the HttpStream ──

  sendInformational(head: Pick<OutgoingResponse, "status" | "headers">): void {
    // 101 is HTTP/1's alone (RFC 9113 §8.6).
    if (head.status !== 101) this.#owner.codec.sendInformational(this.id, head);
  }

  sendHead(head: OutgoingResponse): void {
    const isHidden = head.requestMethod === "HEAD" || head.status === 204 || head.status === 304;
    if (head.framing === "none" || isHidden) this.#head = head;
    else this.#send(head, false);
  }

  sendBody(buffer: Buffer, start: number, end: number): boolean {
    this.lastActivity = this.#owner.now();
    // A response that has no body (HEAD, 204, 304).
    if (this.#head !== undefined) return true;
    return this.#output.write(buffer, start, end);
  }

  sendEnd(trailers: HeaderBlock | undefined): void {
    const head = this.#head;
    const hasTrailers = trailers !== undefined && trailers.size > 0;
    if (head !== undefined) this.#send(head, !hasTrailers);
    if (head !== undefined && !hasTrailers) this.#output.drop();
    else this.#output.end(hasTrailers ? trailers : undefined);
  }

  flush(): boolean {
    if (this.#head !== undefined) this.#send(this.#head, false);
    return this.#output.isRoomy;
  }

  reset(): void {
    this.#output.drop();
    this.#owner.codec.resetStream(this.id, Http2ErrorCode.internalError);
    this.#owner.link.schedule();
  }

  /** Other streams share the connection: it goes on. */
  closeAfterStream(): void {}

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    if (this.#held > 0 && this.#early === undefined) this.#release();
  }

  startTunnel(): void {
    this.#isTunnel = true;
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const piece of early) this.http?.onRequestBody(piece, 0, piece.length);
    this.http?.onDownstreamPause();
    if (!this.#isPaused) this.#release();
    if (this.isRequestRead) this.http?.onTunnelEnd();
  }

  onStreamDone(): void {
    this.http = undefined;
    this.#early = undefined;
    if (this.#held > 0) this.#release();
    if (this.#output.isEnded) this.#leave();
  }

  // ── from the output ──

  onOutputRoom(): void {
    this.lastActivity = this.#owner.now();
    this.http?.onDownstreamWritable();
  }

  onOutputEnded(): void {
    if (this.http === undefined) this.#leave();
  }

  #send(head: OutgoingResponse, isEnd: boolean): void {
    this.#head = undefined;
    this.#owner.codec.sendResponse(this.id, head.status === 101 ? { ...head, status: 200 } : head, isEnd);
    this.#owner.link.schedule();
  }

  #release(): void {
    const bytes = this.#held;
    this.#held = 0;
    this.#owner.codec.consume(this.id, bytes);
    this.#owner.link.schedule();
  }

  #leave(): void {
    // Answered before the request was read whole: the rest is not wanted (RFC 9113 §8.1). A stream that is gone takes no command.
    if (!this.isRequestRead) this.#owner.codec.resetStream(this.id, Http2ErrorCode.noError);
    this.#owner.link.schedule();
    this.#owner.onStreamGone(this);
  }
}
