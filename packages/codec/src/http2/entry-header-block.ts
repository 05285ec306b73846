/**
 * A HeaderBlock over HPACK's shared entries: a head that is forwarded unchanged is encoded again by identity, entry by entry.
 * Few fields, so a linear search; names off the tables are the same string objects, so most comparisons are of pointers.
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import type { NameList } from "../headers/header-names.ts";
import { checkField } from "../headers/text-header-block.ts";
import { createEntry, type HeaderEntry } from "../hpack/header-entry.ts";

export class EntryHeaderBlock implements HeaderBlock {
  /** Owned by the block; read by the sender. */
  entries: HeaderEntry[];

  constructor(entries: HeaderEntry[]) {
    this.entries = entries;
  }

  get size(): number {
    return this.entries.length;
  }

  get(name: string): string | undefined {
    const { entries } = this;
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i];
      if (entry !== undefined && entry.name === name) return entry.value;
    }
    return undefined;
  }

  getAll(name: string): readonly string[] {
    const values: string[] = [];
    for (const entry of this.entries) if (entry.name === name) values.push(entry.value);
    return values;
  }

  combined(name: string): string | undefined {
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
    this.entries.push(createEntry(name, trimBlanks(value)));
  }

  set(name: string, value: string): void {
    checkField(name, value);
    this.remove(name);
    this.entries.push(createEntry(name, trimBlanks(value)));
  }

  setOwn(name: string, value: string): void {
    this.remove(name);
    this.entries.push(createEntry(name, value));
  }

  remove(name: string): boolean {
    if (this.indexOf(name) < 0) return false;
    this.entries = this.entries.filter((entry) => entry.name !== name);
    return true;
  }

  removeAll({ names }: NameList): void {
    for (const name of names) this.remove(name);
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

  private indexOf(name: string): number {
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
