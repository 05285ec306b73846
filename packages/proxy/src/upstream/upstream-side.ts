/** What a stream can do to the upstream connection that its request goes out on, HTTP/1.1 or HTTP/2; and what it hears from there. */
import type { HeaderBlock, OutgoingRequest, ResponseHead } from "@argyle/codec";
import type { ResetReason } from "../local-reply.ts";

export interface UpstreamRequestHead extends OutgoingRequest {
  /** `http` or `https`: HTTP/2 says it to the upstream. */
  readonly scheme: string;
}

export interface UpstreamSide {
  readonly localAddress: string;
  readonly peerPrincipal: string | undefined;
  /** When bytes came last, on the monotonic clock. */
  readonly lastRead: number;
  /** Binds the stream and writes the head (gathered until flush). */
  begin(stream: UpstreamStreamHandler, head: UpstreamRequestHead): void;
  /** False: the upstream is slow, stop reading the request until onUpstreamWritable. Bytes are copied. */
  writeBody(buffer: Buffer, start: number, end: number): boolean;
  endRequest(trailers: HeaderBlock | undefined): void;
  flush(): boolean;
  pause(): void;
  resume(): void;
  /** Half-close, for tunnels. */
  endTunnel(): void;
  /** The stream does not want the rest. */
  abandon(): void;
}

/** Who waits for the response. Bytes of onUpstreamBody are valid during the call only. */
export interface UpstreamStreamHandler {
  onUpstreamInformational(head: ResponseHead): void;
  onUpstreamHead(head: ResponseHead): void;
  onUpstreamBody(buffer: Buffer, start: number, end: number): void;
  onUpstreamTrailers(headers: HeaderBlock): void;
  onUpstreamEnd(): void;
  onUpstreamReset(reason: ResetReason): void;
  onUpstreamWritable(): void;
  /** All bytes at hand were read: write out what was gathered. */
  onUpstreamPause(): void;
}
