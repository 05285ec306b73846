/**
 * The bytes that one connection will write next, in one piece. What take() returns is never written to again, so it can be given to a
 * socket without a copy; the rest of the same slab serves what comes after.
 */
const FIRST_SLAB = 4 * 1024;
const MAX_SLAB = 64 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);

export class OutputBuffer {
  buffer: Buffer = EMPTY;
  /** Where the next byte goes. The writer advances it after reserve(). */
  end = 0;
  private start = 0;
  private slabSize = FIRST_SLAB;

  /** Bytes gathered since the last take(). */
  get length(): number {
    return this.end - this.start;
  }

  /** Makes room for `bytes` more at `end`. `buffer` may be another one afterwards, and positions move: keep them relative to `length`. */
  reserve(bytes: number): void {
    if (this.end + bytes <= this.buffer.length) return;
    const pending = this.end - this.start;
    const size = Math.max(this.slabSize, (pending + bytes) * (pending > 0 ? 2 : 1));
    const grown = Buffer.allocUnsafeSlow(size);
    this.buffer.copy(grown, 0, this.start, this.end);
    this.buffer = grown;
    this.start = 0;
    this.end = pending;
    if (this.slabSize < MAX_SLAB) this.slabSize *= 2;
  }

  /** Absolute position of the byte that was written when `length` was `offset`. */
  positionOf(offset: number): number {
    return this.start + offset;
  }

  take(): Buffer {
    const taken = this.buffer.subarray(this.start, this.end);
    this.start = this.end;
    return taken;
  }
}
