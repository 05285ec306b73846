/**
 * Counts the messages of a gRPC stream in each direction without holding a byte of them: a message is five bytes of head (flag, big-endian
 * length) and its length. Spec: gRPC over HTTP2, Length-Prefixed-Message.
 */
const HEAD_BYTES = 5;

export class MessageCounter {
  count = 0;
  #headBytes = 0;
  #length = 0;
  #left = 0;

  feed(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, end - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      if (this.#headBytes > 0) this.#length = this.#length * 256 + (buffer[at] ?? 0);
      this.#headBytes += 1;
      at += 1;
      if (this.#headBytes < HEAD_BYTES) continue;
      this.count += 1;
      this.#left = this.#length;
      this.#headBytes = 0;
      this.#length = 0;
    }
  }
}

/** Both directions of one stream; undefined for a request that is not gRPC. */
export interface GrpcMessages {
  readonly requests: MessageCounter;
  readonly responses: MessageCounter;
}

export function countGrpcMessages(contentType: string | undefined): GrpcMessages | undefined {
  if (contentType?.startsWith("application/grpc") !== true) return undefined;
  return { requests: new MessageCounter(), responses: new MessageCounter() };
}
