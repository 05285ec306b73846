/**
 * Encodes header blocks of one connection (RFC 7541 §6), straight into its output.
 * hot: an entry remembers the encoder that sent it last and its sequence number there; when that number is still in the table, the field is
 * one index, without a look-up. Numbers only count up, so an entry or alias that was evicted is recognised by its number alone.
 * Other fields are found by name, then value; both maps follow every eviction.
 */
import { DynamicTable } from "./dynamic-table.ts";
import { createEntry, type HeaderEntry, STATIC_ENTRIES } from "./header-entry.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";
import { indexingOf } from "./indexing.ts";
import type { OutputBuffer } from "./output.ts";

const STATIC_COUNT = 61;
/** Longest encoding of one integer we write (28 bits). */
const MAX_INTEGER = 6;

interface StaticName {
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
}
const STATIC_NAMES = buildStaticNames();

/** The entries of one name in the table: value to its newest sequence number, and the newest of all. */
interface DynamicName {
  readonly values: Map<string, number>;
  newest: number;
}

let lastEncoderId = 0;

export class HpackEncoder {
  private readonly id = ++lastEncoderId;
  private readonly ceiling: number;
  private readonly names = new Map<string, DynamicName>();
  private readonly table: DynamicTable;
  /** The smallest size since the last block, when it changed: told to the peer at the start of the next one. */
  private smallest: number | undefined;

  /** `ceiling`: the largest table we want to keep, whatever the peer allows. */
  constructor(ceiling = 4096) {
    this.ceiling = ceiling;
    this.table = new DynamicTable(Math.min(4096, ceiling), (entry, sequence) => this.forget(entry, sequence));
    if (ceiling < 4096) this.smallest = ceiling;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerLimit(maxTableSize: number): void {
    const size = Math.min(maxTableSize, this.ceiling);
    if (size === this.table.maxSize) return;
    this.smallest = Math.min(this.smallest ?? size, size);
    this.table.resize(size);
  }

  /** Before the first field of each block. */
  begin(out: OutputBuffer): void {
    if (this.smallest === undefined) return;
    out.reserve(2 * MAX_INTEGER);
    if (this.smallest < this.table.maxSize) writeInteger(out, 0x20, 0x1f, this.smallest);
    writeInteger(out, 0x20, 0x1f, this.table.maxSize);
    this.smallest = undefined;
  }

  entry(entry: HeaderEntry, out: OutputBuffer): void {
    if (entry.encoderId === this.id && entry.encoderSequence >= this.table.oldest) {
      this.writeIndex(out, STATIC_COUNT + this.table.next - entry.encoderSequence);
    } else if (entry.staticIndex > 0) this.writeIndex(out, entry.staticIndex);
    else this.write(entry.name, entry.value, entry, out);
  }

  field(name: string, value: string, out: OutputBuffer): void {
    this.write(name, value, undefined, out);
  }

  private write(name: string, value: string, entry: HeaderEntry | undefined, out: OutputBuffer): void {
    const fixed = STATIC_NAMES.get(name);
    const fixedIndex = fixed?.values.get(value);
    const isNever = entry?.isNeverIndexed === true;
    if (fixedIndex !== undefined && !isNever) {
      this.writeIndex(out, fixedIndex);
      return;
    }
    const known = this.names.get(name);
    const sequence = known?.values.get(value);
    if (sequence !== undefined && !isNever) {
      if (entry !== undefined) this.remember(entry, sequence);
      this.writeIndex(out, STATIC_COUNT + this.table.next - sequence);
      return;
    }
    const nameIndex =
      fixed !== undefined ? fixed.index : known !== undefined ? STATIC_COUNT + this.table.next - known.newest : 0;
    const indexing = isNever ? "never" : indexingOf(name, value);
    out.reserve(3 * MAX_INTEGER + name.length + value.length);
    // An entry that fills most of the table costs more than it brings.
    if (indexing === "index" && (name.length + value.length + 32) * 4 <= this.table.maxSize * 3) {
      writeInteger(out, 0x40, 0x3f, nameIndex);
      this.insert(entry ?? createEntry(name, value));
    } else writeInteger(out, indexing === "never" ? 0x10 : 0, 0x0f, nameIndex);
    if (nameIndex === 0) writeString(out, name);
    // What is not kept is written once for each message: packing it costs both sides more than the few bytes are worth.
    if (indexing === "plain") writePlain(out, value);
    else writeString(out, value);
  }

  private insert(entry: HeaderEntry): void {
    const sequence = this.table.next;
    if (!this.table.add(entry)) return;
    this.remember(entry, sequence);
    const known = this.names.get(entry.name);
    if (known === undefined) {
      this.names.set(entry.name, { values: new Map([[entry.value, sequence]]), newest: sequence });
      return;
    }
    known.values.set(entry.value, sequence);
    known.newest = sequence;
  }

  private remember(entry: HeaderEntry, sequence: number): void {
    entry.encoderId = this.id;
    entry.encoderSequence = sequence;
  }

  private forget(entry: HeaderEntry, sequence: number): void {
    const known = this.names.get(entry.name);
    if (known === undefined) return;
    if (known.values.get(entry.value) === sequence) known.values.delete(entry.value);
    if (known.newest === sequence) this.names.delete(entry.name);
  }

  private writeIndex(out: OutputBuffer, index: number): void {
    out.reserve(MAX_INTEGER);
    if (index < 0x7f) out.buffer[out.end++] = 0x80 | index;
    else writeInteger(out, 0x80, 0x7f, index);
  }
}

/** RFC 7541 §5.1. The caller has made room. */
function writeInteger(out: OutputBuffer, pattern: number, mask: number, value: number): void {
  const { buffer } = out;
  if (value < mask) {
    buffer[out.end++] = pattern | value;
    return;
  }
  buffer[out.end++] = pattern | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    buffer[out.end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[out.end++] = rest;
}

/** Huffman where that is shorter (RFC 7541 §5.2). The caller has made room for the plain form. */
function writeString(out: OutputBuffer, text: string): void {
  const packed = huffmanLength(text);
  if (packed < text.length) {
    writeInteger(out, 0x80, 0x7f, packed);
    out.end = huffmanEncode(text, out.buffer, out.end);
    return;
  }
  writePlain(out, text);
}

function writePlain(out: OutputBuffer, text: string): void {
  writeInteger(out, 0, 0x7f, text.length);
  const { buffer } = out;
  for (let i = 0; i < text.length; i += 1) buffer[out.end + i] = text.charCodeAt(i);
  out.end += text.length;
}

function buildStaticNames(): ReadonlyMap<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  for (const { name, value, staticIndex } of STATIC_ENTRIES) {
    if (staticIndex === 0) continue;
    const known = names.get(name);
    // An empty value stands for "name only" in the static table; an empty field may use it all the same.
    if (known === undefined) names.set(name, { index: staticIndex, values: new Map([[value, staticIndex]]) });
    else known.values.set(value, staticIndex);
  }
  return names;
}
