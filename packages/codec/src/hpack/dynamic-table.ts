/**
 * The dynamic table of RFC 7541 §2.3.2 as a ring: newest first, evicted from the oldest end. Every entry has a sequence number that counts
 * up for ever, so "is it still there" is one comparison with `oldest` and no list of references must be kept.
 */
import type { HeaderEntry } from "./header-entry.ts";

const FIRST_CAPACITY = 32;

export class DynamicTable {
  /** Sequence number of the next entry; entries in the table are oldest … next - 1. */
  next = 1;
  oldest = 1;
  size = 0;
  maxSize: number;
  private ring: (HeaderEntry | undefined)[] = new Array<HeaderEntry | undefined>(FIRST_CAPACITY);
  private mask = FIRST_CAPACITY - 1;
  private readonly onEvicted: ((entry: HeaderEntry, sequence: number) => void) | undefined;

  constructor(maxSize: number, onEvicted?: (entry: HeaderEntry, sequence: number) => void) {
    this.maxSize = maxSize;
    this.onEvicted = onEvicted;
  }

  get length(): number {
    return this.next - this.oldest;
  }

  at(sequence: number): HeaderEntry | undefined {
    return sequence >= this.oldest && sequence < this.next ? this.ring[sequence & this.mask] : undefined;
  }

  /** Makes room, then adds; an entry larger than the table empties it (RFC 7541 §4.4). True when it is in the table. */
  add(entry: HeaderEntry): boolean {
    this.evictTo(this.maxSize - entry.size);
    if (entry.size > this.maxSize) return false;
    if (this.next - this.oldest > this.mask) this.grow();
    this.ring[this.next & this.mask] = entry;
    this.next += 1;
    this.size += entry.size;
    return true;
  }

  resize(maxSize: number): void {
    this.maxSize = maxSize;
    this.evictTo(maxSize);
  }

  private evictTo(size: number): void {
    while (this.size > size && this.oldest < this.next) {
      const slot = this.oldest & this.mask;
      const entry = this.ring[slot];
      this.ring[slot] = undefined;
      this.oldest += 1;
      if (entry === undefined) continue;
      this.size -= entry.size;
      this.onEvicted?.(entry, this.oldest - 1);
    }
  }

  private grow(): void {
    const capacity = (this.mask + 1) * 2;
    const ring = new Array<HeaderEntry | undefined>(capacity);
    for (let sequence = this.oldest; sequence < this.next; sequence += 1)
      ring[sequence & (capacity - 1)] = this.ring[sequence & this.mask];
    this.ring = ring;
    this.mask = capacity - 1;
  }
}
