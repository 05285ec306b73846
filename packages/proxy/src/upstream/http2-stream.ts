/**
 * One request on an HTTP/2 connection to an upstream host. An HTTP/1 upgrade goes out as an extended CONNECT (RFC 8441), and its 2xx comes back as
 * the 101 that it means. Bytes of the response are given back to the server's window when the client takes them; while it does not, they are held.
 */
import { type HeaderBlock, Http2ErrorCode, hasToken, type ResponseHead } from "@argyle/codec";
import { asSwitching } from "../http/http2-upgrade.ts";
import { type Http2OutputOwner, Http2StreamOutput } from "../io/http2-stream-output.ts";
import type { ResetReason } from "../local-reply.ts";
import type { Http2UpstreamConnection } from "./http2-connection.ts";
import type { UpstreamRequestHead, UpstreamSide, UpstreamStreamHandler } from "./upstream-side.ts";

export const NOT_OPENED = -1;

export class Http2UpstreamStream implements UpstreamSide, Http2OutputOwner {
  /** 0 until the head is sent; NOT_OPENED when the connection did not take it. */
  id = 0;
  isTouched = false;
  readonly localAddress: string;
  readonly peerPrincipal: string | undefined;
  readonly #connection: Http2UpstreamConnection;
  #handler: UpstreamStreamHandler | undefined;
  #head: UpstreamRequestHead | undefined;
  #output: Http2StreamOutput | undefined;
  /** What an extended CONNECT asked for. */
  #protocol: string | undefined;
  #isTunnel = false;
  #isPaused = false;
  #held = 0;

  constructor(connection: Http2UpstreamConnection) {
    this.#connection = connection;
    this.localAddress = connection.localAddress;
    this.peerPrincipal = connection.peerPrincipal;
  }

  get lastRead(): number {
    return this.#connection.lastRead;
  }

  // ── for the request ──

  begin(stream: UpstreamStreamHandler, head: UpstreamRequestHead): void {
    this.#handler = stream;
    this.#head = head;
  }

  writeBody(buffer: Buffer, start: number, end: number): boolean {
    this.#open(false);
    return this.#output === undefined || this.#output.write(buffer, start, end);
  }

  endRequest(trailers: HeaderBlock | undefined): void {
    const hasTrailers = trailers !== undefined && trailers.size > 0;
    const head = this.#head;
    if (head !== undefined && !hasTrailers && !isTunnelRequest(head)) {
      this.#open(true);
      return;
    }
    this.#open(false);
    // A tunnel's request has no end of its own.
    if (!this.#isTunnel) this.#output?.end(hasTrailers ? trailers : undefined);
  }

  flush(): boolean {
    this.#open(false);
    return this.#output?.isRoomy !== false;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#held === 0) return;
    const bytes = this.#held;
    this.#held = 0;
    this.#connection.consume(this.id, bytes);
  }

  endTunnel(): void {
    this.#output?.end(undefined);
  }

  abandon(): void {
    this.#close(Http2ErrorCode.cancel);
  }

  // ── from the connection ──

  onInformational(head: ResponseHead): void {
    this.#handler?.onUpstreamInformational(head);
  }

  onHead(head: ResponseHead): void {
    const isSwitching = this.#protocol !== undefined && head.status >= 200 && head.status < 300;
    this.#handler?.onUpstreamHead(isSwitching ? asSwitching(head, this.#protocol ?? "") : head);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#handler?.onUpstreamBody(buffer, start, end);
    if (this.#isPaused) this.#held += end - start;
    else this.#connection.codec.consume(this.id, end - start);
  }

  onTrailers(headers: HeaderBlock): void {
    this.#handler?.onUpstreamTrailers(headers);
  }

  onEnd(): void {
    const handler = this.#handler;
    this.#close(Http2ErrorCode.noError);
    handler?.onUpstreamEnd();
  }

  onReset(reason: ResetReason): void {
    const handler = this.#handler;
    this.#output?.drop();
    this.#close(Http2ErrorCode.cancel);
    handler?.onUpstreamReset(reason);
  }

  onWindow(): void {
    this.#output?.resume();
  }

  onPause(): void {
    this.#handler?.onUpstreamPause();
  }

  // ── from the output ──

  onOutputRoom(): void {
    this.#handler?.onUpstreamWritable();
  }

  onOutputEnded(): void {}

  #open(isEnd: boolean): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    this.#isTunnel = isTunnelRequest(head);
    if (this.#isTunnel && head.method !== "CONNECT") this.#protocol = head.headers.get("upgrade") ?? "";
    const { link } = this.#connection;
    this.id = this.#connection.open(
      this,
      this.#protocol === undefined ? head : { ...head, method: "CONNECT", protocol: this.#protocol },
      isEnd,
    );
    if (this.id === NOT_OPENED) return;
    this.#output = new Http2StreamOutput(link, this.id, this);
    if (isEnd) this.#output.drop();
  }

  /** What of the request was not sent is not wanted any more. */
  #close(code: number): void {
    if (this.#handler === undefined) return;
    this.#handler = undefined;
    this.#head = undefined;
    const isSent = this.#output?.isEnded === true;
    this.#output?.drop();
    this.#connection.leave(this, isSent && code === Http2ErrorCode.noError ? undefined : code);
  }
}

function isTunnelRequest(head: UpstreamRequestHead): boolean {
  if (head.method === "CONNECT") return true;
  return head.headers.has("upgrade") && hasToken(head.headers.get("connection"), "upgrade");
}
