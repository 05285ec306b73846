/**
 * Counts gRPC messages in a body as it passes, wherever reads cut it: each is one flag byte, a length of four bytes, and so many bytes
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). For istio_request_messages_total; a message counts when its prefix is whole.
 */
const PREFIX = 5;

export class GrpcMessageCounter {
  /** Messages whose prefix was seen. */
  count = 0;
  /** False once a flag byte was neither 0 nor 1: this is no gRPC, and the count means nothing. */
  isValid = true;
  private prefixBytes = 0;
  private length = 0;
  private remaining = 0;

  push(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && this.isValid) {
      if (this.remaining > 0) {
        const skipped = Math.min(this.remaining, end - at);
        this.remaining -= skipped;
        at += skipped;
        continue;
      }
      const byte = buffer[at] ?? 0;
      at += 1;
      if (this.prefixBytes === 0) {
        this.isValid = byte <= 1;
        this.length = 0;
      } else this.length = this.length * 256 + byte;
      this.prefixBytes += 1;
      if (this.prefixBytes < PREFIX) continue;
      this.prefixBytes = 0;
      this.count += 1;
      this.remaining = this.length;
    }
  }

  /** The body may end here: no message is cut. */
  get isAtBoundary(): boolean {
    return this.prefixBytes === 0 && this.remaining === 0;
  }
}
