/**
 * Holds a head that the end of a read cut off, until it is complete. Most heads arrive whole and never come here.
 * Bounded: never more bytes than a head may have.
 */
const EMPTY: Buffer = Buffer.alloc(0);
const FIRST_SIZE = 1024;

export class HeadAccumulator {
  buffer = EMPTY;
  length = 0;
  private readonly maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Where the head's bytes are: here once something was cut off, else in the caller's buffer. */
  source(callers: Buffer): Buffer {
    return this.length === 0 ? callers : this.buffer;
  }

  /** Copies what still fits; returns how many bytes that was. */
  append(source: Buffer, start: number, end: number): number {
    const taken = Math.min(end - start, this.maxBytes - this.length);
    const needed = this.length + taken;
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(this.maxBytes, Math.max(FIRST_SIZE, needed, this.buffer.length * 2)),
      );
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    source.copy(this.buffer, this.length, start, start + taken);
    this.length = needed;
    return taken;
  }

  clear(): void {
    if (this.length === 0) return;
    this.buffer = EMPTY;
    this.length = 0;
  }
}
