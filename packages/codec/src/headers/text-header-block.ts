/**
 * A HeaderBlock over the received text of a head: fields are offsets into one latin1 string, values are sliced when asked for,
 * and encode() copies runs of untouched lines instead of building each line again.
 * hot: a proxy forwards most heads with two or three edits, so this decides what a head costs (reference: dataplane.md, variant b).
 */
import { MeshError } from "@argyle/core";
import type { HeaderBlock } from "./header-block.ts";

/** Numbers per received field: name start, name end (REMOVED once removed), value start, value end. */
export const FIELD_STRIDE = 4;
const REMOVED = -1;

/** A block without received text, for heads that we make ourselves. */
export function createHeaderBlock(fields: Iterable<readonly [string, string]> = []): HeaderBlock {
  const block = new TextHeaderBlock("", [], 0, true, []);
  for (const [name, value] of fields) block.add(name, value);
  return block;
}

/**
 * A block over `text`, whose header lines end at `textEnd` (before the empty line). `fields` is owned by the block from now on.
 * `isLowerCase`: the names in the text are in lower case already.
 */
export function createReceivedHeaderBlock(
  text: string,
  fields: number[],
  textEnd: number,
  isLowerCase: boolean,
): HeaderBlock {
  return new TextHeaderBlock(text, fields, textEnd, isLowerCase, []);
}

class TextHeaderBlock implements HeaderBlock {
  private readonly text: string;
  private readonly fields: number[];
  private readonly textEnd: number;
  private readonly isLowerCase: boolean;
  /** Added fields: name, value, name, value… */
  private added: string[];
  private removedCount = 0;
  /** Bit n & 31: a received name has n characters. hot: most look-ups are for names that are not there. */
  private lengths = 0;

  constructor(text: string, fields: number[], textEnd: number, isLowerCase: boolean, added: string[]) {
    this.text = text;
    this.fields = fields;
    this.textEnd = textEnd;
    this.isLowerCase = isLowerCase;
    this.added = added;
    for (let at = 0; at < fields.length; at += FIELD_STRIDE)
      this.lengths |= 1 << ((fields[at + 1] ?? 0) - (fields[at] ?? 0));
  }

  get size(): number {
    return this.fields.length / FIELD_STRIDE - this.removedCount + this.added.length / 2;
  }

  get(name: string): string | undefined {
    const at = this.indexOf(name, 0);
    if (at >= 0) return this.valueAt(at);
    const added = this.added;
    for (let i = 0; i < added.length; i += 2) if (added[i] === name) return added[i + 1];
    return undefined;
  }

  getAll(name: string): readonly string[] {
    const values: string[] = [];
    for (let at = this.indexOf(name, 0); at >= 0; at = this.indexOf(name, at + FIELD_STRIDE))
      values.push(this.valueAt(at));
    for (let i = 0; i < this.added.length; i += 2) if (this.added[i] === name) values.push(this.added[i + 1] ?? "");
    return values;
  }

  combined(name: string): string | undefined {
    const first = this.indexOf(name, 0);
    let joined = first < 0 ? undefined : this.valueAt(first);
    if (first >= 0) {
      for (let at = this.indexOf(name, first + FIELD_STRIDE); at >= 0; at = this.indexOf(name, at + FIELD_STRIDE))
        joined = `${joined},${this.valueAt(at)}`;
    }
    const added = this.added;
    for (let i = 0; i < added.length; i += 2)
      if (added[i] === name) joined = joined === undefined ? added[i + 1] : `${joined},${added[i + 1]}`;
    return joined;
  }

  has(name: string): boolean {
    return this.indexOf(name, 0) >= 0 || this.addedIndexOf(name) >= 0;
  }

  forEach(visit: (name: string, value: string) => void): void {
    for (let at = 0; at < this.fields.length; at += FIELD_STRIDE) {
      if (this.fields[at + 1] !== REMOVED) visit(this.nameAt(at), this.valueAt(at));
    }
    for (let i = 0; i < this.added.length; i += 2) visit(this.added[i] ?? "", this.added[i + 1] ?? "");
  }

  add(name: string, value: string): void {
    checkField(name, value);
    this.added.push(name, value);
  }

  set(name: string, value: string): void {
    checkField(name, value);
    this.removeReceived(name);
    const at = this.addedIndexOf(name);
    if (at >= 0) this.removeAdded(name, at);
    this.added.push(name, value);
  }

  remove(name: string): boolean {
    const found = this.removeReceived(name);
    const at = this.addedIndexOf(name);
    if (at < 0) return found;
    this.removeAdded(name, at);
    return true;
  }

  removeWhere(isRemoved: (name: string) => boolean): void {
    for (let at = 0; at < this.fields.length; at += FIELD_STRIDE) {
      if (this.fields[at + 1] !== REMOVED && isRemoved(this.nameAt(at))) this.removeAt(at);
    }
    const kept: string[] = [];
    for (let i = 0; i < this.added.length; i += 2) {
      const name = this.added[i] ?? "";
      if (!isRemoved(name)) kept.push(name, this.added[i + 1] ?? "");
    }
    this.added = kept;
  }

  clone(): HeaderBlock {
    const copy = new TextHeaderBlock(
      this.text,
      this.fields.slice(),
      this.textEnd,
      this.isLowerCase,
      this.added.slice(),
    );
    copy.removedCount = this.removedCount;
    copy.lengths = this.lengths;
    return copy;
  }

  encode(): string {
    let out =
      this.removedCount === 0 ? this.text.slice(this.fields[0] ?? this.textEnd, this.textEnd) : this.encodeRuns();
    const added = this.added;
    for (let i = 0; i < added.length; i += 2) out += `${added[i]}: ${added[i + 1]}\r\n`;
    return out;
  }

  private encodeRuns(): string {
    const { fields, text } = this;
    let out = "";
    let runStart = -1;
    for (let at = 0; at < fields.length; at += FIELD_STRIDE) {
      const lineStart = fields[at] ?? 0;
      if (fields[at + 1] === REMOVED) {
        if (runStart >= 0) out += text.slice(runStart, lineStart);
        runStart = -1;
      } else if (runStart < 0) runStart = lineStart;
    }
    return runStart >= 0 ? out + text.slice(runStart, this.textEnd) : out;
  }

  /** The field at or after `from` with that name, or -1. Lengths first: almost every other name differs there. */
  private indexOf(name: string, from: number): number {
    const { fields, text } = this;
    const length = name.length;
    if ((this.lengths & (1 << length)) === 0) return -1;
    for (let at = from; at < fields.length; at += FIELD_STRIDE) {
      const start = fields[at] ?? 0;
      if ((fields[at + 1] ?? 0) - start !== length) continue;
      if (this.isLowerCase ? text.startsWith(name, start) : text.slice(start, start + length).toLowerCase() === name)
        return at;
    }
    return -1;
  }

  private addedIndexOf(name: string): number {
    for (let i = 0; i < this.added.length; i += 2) if (this.added[i] === name) return i;
    return -1;
  }

  private nameAt(at: number): string {
    const name = this.text.slice(this.fields[at], this.fields[at + 1]);
    return this.isLowerCase ? name : name.toLowerCase();
  }

  private valueAt(at: number): string {
    return this.text.slice(this.fields[at + 2], this.fields[at + 3]);
  }

  private removeAt(at: number): void {
    this.fields[at + 1] = REMOVED;
    this.removedCount += 1;
  }

  private removeReceived(name: string): boolean {
    let at = this.indexOf(name, 0);
    if (at < 0) return false;
    for (; at >= 0; at = this.indexOf(name, at + FIELD_STRIDE)) this.removeAt(at);
    return true;
  }

  /** In place: `first` is the first added field of that name. */
  private removeAdded(name: string, first: number): void {
    const added = this.added;
    let to = first;
    for (let i = first + 2; i < added.length; i += 2) {
      if (added[i] === name) continue;
      added[to] = added[i] ?? "";
      added[to + 1] = added[i + 1] ?? "";
      to += 2;
    }
    added.length = to;
  }
}

const VALID_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** hot: names that proxies add come from code and configuration, so a few hundred are checked once; bounded, since some come from peers. */
const KNOWN_NAMES = new Set<string>();
const MAX_KNOWN_NAMES = 512;
// Characters above 0xff would be cut to their low byte when written as latin1, so they are refused, not silently turned into CR or LF.
const VALID_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws codec.header.invalid for what no field may hold; every HeaderBlock calls it before it takes a field. */
export function checkField(name: string, value: string): void {
  if (isValidName(name) && VALID_VALUE.test(value)) return;
  throw new MeshError(`header ${JSON.stringify(name)}: ${JSON.stringify(value)} cannot be sent`, {
    code: "codec.header.invalid",
    advice: "names are lower-case tokens; values hold no line ends or control characters",
  });
}

function isValidName(name: string): boolean {
  if (KNOWN_NAMES.has(name)) return true;
  if (!VALID_NAME.test(name)) return false;
  if (KNOWN_NAMES.size < MAX_KNOWN_NAMES) KNOWN_NAMES.add(name);
  return true;
}
