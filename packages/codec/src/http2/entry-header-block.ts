/**
 * A HeaderBlock over HPACK's shared entries: a head that is forwarded unchanged is encoded again by identity, entry by entry.
 * Few fields, so a linear search; names off the tables are the same string objects, so most comparisons are of pointers.
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import { type NameList, nameBit } from "../headers/header-names.ts";
import { checkField } from "../headers/text-header-block.ts";
import { createEntry, type HeaderEntry } from "../hpack/header-entry.ts";

export class EntryHeaderBlock implements HeaderBlock {
  /** Owned by the block; read by the sender. */
  entries: HeaderEntry[];
  /** nameBit() of every name that was ever in the block. hot: most look-ups are for names that are not there (bench http2). */
  private bits: number;

  constructor(entries: HeaderEntry[]) {
    this.entries = entries;
    let bits = 0;
    for (let i = 0; i < entries.length; i += 1) bits |= entries[i]?.bit ?? 0;
    this.bits = bits;
  }

  get size(): number {
    return this.entries.length;
  }

  get(name: string): string | undefined {
    const at = this.indexOf(name);
    return at < 0 ? undefined : this.entries[at]?.value;
  }

  getAll(name: string): readonly string[] {
    const values: string[] = [];
    for (const entry of this.entries) if (entry.name === name) values.push(entry.value);
    return values;
  }

  combined(name: string): string | undefined {
    if ((this.bits & nameBit(name)) === 0) return undefined;
    let combined: string | undefined;
    for (const entry of this.entries) {
      if (entry.name === name) combined = combined === undefined ? entry.value : `${combined},${entry.value}`;
    }
    return combined;
  }

  has(name: string): boolean {
    return this.indexOf(name) >= 0;
  }

  forEach(visit: (name: string, value: string) => void): void {
    for (const entry of this.entries) visit(entry.name, entry.value);
  }

  add(name: string, value: string): void {
    checkField(name, value);
    this.push(createEntry(name, trimBlanks(value)));
  }

  set(name: string, value: string): void {
    checkField(name, value);
    this.put(createEntry(name, trimBlanks(value)));
  }

  setOwn(name: string, value: string): void {
    this.put(createEntry(name, value));
  }

  remove(name: string): boolean {
    const first = this.indexOf(name);
    if (first < 0) return false;
    this.removeFrom(first, name);
    return true;
  }

  removeAll({ names, bits }: NameList): void {
    for (let i = 0; i < names.length; i += 1) {
      if ((this.bits & (bits[i] ?? 0)) !== 0) this.remove(names[i] ?? "");
    }
  }

  removeWhere(isRemoved: (name: string) => boolean): void {
    const { entries } = this;
    let kept = 0;
    for (const entry of entries) if (!isRemoved(entry.name)) entries[kept++] = entry;
    entries.length = kept;
  }

  clone(): HeaderBlock {
    return new EntryHeaderBlock(this.entries.slice());
  }

  encode(): string {
    let text = "";
    for (const { name, value } of this.entries) text += `${name}: ${value}\r\n`;
    return text;
  }

  private push(entry: HeaderEntry): void {
    this.entries.push(entry);
    this.bits |= entry.bit;
  }

  /** In the place of the fields of that name. */
  private put(entry: HeaderEntry): void {
    const at = this.indexOf(entry.name);
    if (at >= 0) this.removeFrom(at, entry.name);
    this.push(entry);
  }

  /** In place: `first` is the first field of that name. */
  private removeFrom(first: number, name: string): void {
    const { entries } = this;
    let kept = first;
    for (let i = first + 1; i < entries.length; i += 1) {
      const entry = entries[i];
      if (entry !== undefined && entry.name !== name) entries[kept++] = entry;
    }
    entries.length = kept;
  }

  private indexOf(name: string): number {
    if ((this.bits & nameBit(name)) === 0) return -1;
    const { entries } = this;
    for (let i = 0; i < entries.length; i += 1) if (entries[i]?.name === name) return i;
    return -1;
  }
}

/** Without blanks at both ends, which HTTP/2 forbids (RFC 9113 §8.2.1). Not trim(): that would take obs-text 0xa0 as well. */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return end - start === value.length ? value : value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
