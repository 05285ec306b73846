/** What a stream can do to the connection that its request came on; HTTP/1.1 today, HTTP/2 behind the same words. */
import type { HeaderBlock, OutgoingResponse, ResponseHead } from "@argyle/codec";

export interface DownstreamSide {
  /** When bytes came last, on the monotonic clock: the time of all that these bytes cause. hot: a clock is dear, one reading serves a read. */
  readonly lastActivity: number;
  sendInformational(head: Pick<ResponseHead, "status" | "headers">): void;
  sendHead(head: OutgoingResponse): void;
  /** False: the client is slow, stop reading the response until onDownstreamWritable. Bytes are copied. */
  sendBody(buffer: Buffer, start: number, end: number): boolean;
  sendEnd(trailers: HeaderBlock | undefined): void;
  flush(): boolean;
  /** The response was cut: the client must not take it for whole. */
  reset(): void;
  /** The connection takes no further request after this stream. */
  closeAfterStream(): void;
  pauseReading(): void;
  resumeReading(): void;
  startTunnel(): void;
  /** `now` on the monotonic clock. */
  onStreamDone(now: number): void;
}
