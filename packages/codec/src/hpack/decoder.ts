/**
 * Decodes header blocks of one connection (RFC 7541 §3, §6). Every block must be decoded, also of streams that were refused, else the two
 * tables part. A block that breaks the rules makes the connection unusable (COMPRESSION_ERROR).
 * Bounded: indices, integers (below 2^28) and string lengths are checked before anything is made; a field that is only a reference costs no memory.
 */
import { latin1 } from "../http1/latin1.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { type HeaderEntry, receivedEntry, STATIC_ENTRIES } from "./header-entry.ts";
import { huffmanDecode, maxDecodedLength } from "./huffman.ts";

/** Takes the fields of a block, one after the other. */
export interface FieldSink {
  field(entry: HeaderEntry): void;
}

const STATIC_COUNT = 61;
const INVALID = -1;
const MAX_SHIFT = 21;

export class HpackDecoder {
  private readonly table: DynamicTable;
  /** What our SETTINGS allow; a size update must not exceed it. */
  private limit: number;
  /** The limit was lowered, so the next block must begin with a size update (RFC 7541 §4.2). */
  private isUpdateDue = false;
  private buffer: Buffer = EMPTY;
  private at = 0;
  private end = 0;

  constructor(maxTableSize = 4096) {
    this.limit = maxTableSize;
    this.table = new DynamicTable(maxTableSize);
  }

  /** Our SETTINGS_HEADER_TABLE_SIZE was acknowledged. */
  setLimit(maxTableSize: number): void {
    this.limit = maxTableSize;
    this.isUpdateDue = maxTableSize < this.table.maxSize;
  }

  /** False: the block is broken. Fields before the break were given to the sink. */
  decode(buffer: Buffer, start: number, end: number, sink: FieldSink): boolean {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
    let sawField = false;
    while (this.at < end) {
      const byte = buffer[this.at] ?? 0;
      if (byte >= 0x20 && byte < 0x40) {
        if (sawField || !this.readSizeUpdate()) return false;
        continue;
      }
      if (this.isUpdateDue) return false;
      sawField = true;
      const entry = byte >= 0x80 ? this.lookUp(this.readInteger(0x7f)) : this.readLiteral(byte);
      if (entry === undefined) return false;
      sink.field(entry);
    }
    this.buffer = EMPTY;
    return true;
  }

  private lookUp(index: number): HeaderEntry | undefined {
    if (index > STATIC_COUNT) return this.table.at(this.table.next - (index - STATIC_COUNT));
    return index > 0 ? STATIC_ENTRIES[index] : undefined;
  }

  private readSizeUpdate(): boolean {
    const size = this.readInteger(0x1f);
    if (size === INVALID || size > this.limit) return false;
    this.table.resize(size);
    this.isUpdateDue = false;
    return true;
  }

  private readLiteral(byte: number): HeaderEntry | undefined {
    const isIndexed = byte >= 0x40;
    const nameIndex = this.readInteger(isIndexed ? 0x3f : 0x0f);
    if (nameIndex === INVALID) return undefined;
    let name: string | undefined;
    let role: number | undefined;
    if (nameIndex === 0) name = this.readString();
    else {
      const named = this.lookUp(nameIndex);
      name = named?.name;
      role = named?.role;
    }
    if (name === undefined) return undefined;
    const value = this.readString();
    if (value === undefined) return undefined;
    const entry = receivedEntry(name, role, value, !isIndexed && (byte & 0x10) !== 0);
    if (isIndexed) this.table.add(entry);
    return entry;
  }

  /** RFC 7541 §5.1. `mask` is the prefix; bits above it are ignored. */
  private readInteger(mask: number): number {
    const prefix = (this.buffer[this.at++] ?? 0) & mask;
    if (prefix < mask) return prefix;
    let value = mask;
    for (let shift = 0; shift <= MAX_SHIFT; shift += 7) {
      if (this.at >= this.end) return INVALID;
      const byte = this.buffer[this.at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return INVALID;
  }

  private readString(): string | undefined {
    if (this.at >= this.end) return undefined;
    const isHuffman = (this.buffer[this.at] ?? 0) >= 0x80;
    const length = this.readInteger(0x7f);
    const start = this.at;
    if (length === INVALID || length > this.end - start) return undefined;
    this.at = start + length;
    if (!isHuffman) return length === 0 ? "" : latin1(this.buffer, start, this.at);
    const room = maxDecodedLength(length);
    if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(room * 2);
    const decoded = huffmanDecode(this.buffer, start, this.at, scratch);
    return decoded < 0 ? undefined : latin1(scratch, 0, decoded);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
/** Shared by all decoders: a string is decoded and copied out within one call. */
let scratch: Buffer = Buffer.allocUnsafeSlow(4096);
