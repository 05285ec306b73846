/**
 * A HeaderBlock over the received text of a head: fields are offsets into one latin1 string, values are sliced when asked for,
 * and encode() copies runs of untouched lines instead of building each line again.
 * hot: a proxy forwards most heads with two or three edits, so this decides what a head costs (reference: dataplane.md, variant b).
 */
import { MeshError } from "@argyle/core";
import type { HeaderBlock } from "./header-block.ts";
import { bitOf, type NameList, nameBit } from "./header-names.ts";

/** Numbers per received field: name start, name end (REMOVED once removed), value start, value end. */
export const FIELD_STRIDE = 4;
const REMOVED = -1;
/** Strings per added field: name, `name: `, value. */
const ADDED_STRIDE = 3;

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
  private added: string[];
  private removedCount = 0;
  /** nameBit() of every name that was ever in the block. hot: most look-ups are for names that are not there (bench dataplane). */
  private bits = 0;

  constructor(text: string, fields: number[], textEnd: number, isLowerCase: boolean, added: string[]) {
    this.text = text;
    this.fields = fields;
    this.textEnd = textEnd;
    this.isLowerCase = isLowerCase;
    this.added = added;
    let bits = 0;
    for (let at = 0; at < fields.length; at += FIELD_STRIDE) {
      const start = fields[at] ?? 0;
      const end = fields[at + 1] ?? 0;
      bits |= isLowerCase ? bitOf(text.charCodeAt(start), text.charCodeAt(end - 1), end - start) : ANY_NAME;
    }
    this.bits = bits;
  }

  get size(): number {
    return this.fields.length / FIELD_STRIDE - this.removedCount + this.added.length / ADDED_STRIDE;
  }

  get(name: string): string | undefined {
    if ((this.bits & nameBit(name)) === 0) return undefined;
    const at = this.indexOf(name, 0);
    if (at >= 0) return this.valueAt(at);
    const i = this.addedIndexOf(name);
    return i < 0 ? undefined : this.added[i + 2];
  }

  getAll(name: string): readonly string[] {
    const values: string[] = [];
    for (let at = this.indexOf(name, 0); at >= 0; at = this.indexOf(name, at + FIELD_STRIDE))
      values.push(this.valueAt(at));
    const { added } = this;
    for (let i = 0; i < added.length; i += ADDED_STRIDE) if (added[i] === name) values.push(added[i + 2] ?? "");
    return values;
  }

  combined(name: string): string | undefined {
    if ((this.bits & nameBit(name)) === 0) return undefined;
    const first = this.indexOf(name, 0);
    let joined = first < 0 ? undefined : this.valueAt(first);
    if (first >= 0) {
      for (let at = this.indexOf(name, first + FIELD_STRIDE); at >= 0; at = this.indexOf(name, at + FIELD_STRIDE))
        joined = `${joined},${this.valueAt(at)}`;
    }
    const { added } = this;
    for (let i = 0; i < added.length; i += ADDED_STRIDE)
      if (added[i] === name) joined = joined === undefined ? added[i + 2] : `${joined},${added[i + 2]}`;
    return joined;
  }

  has(name: string): boolean {
    return (this.bits & nameBit(name)) !== 0 && (this.indexOf(name, 0) >= 0 || this.addedIndexOf(name) >= 0);
  }

  forEach(visit: (name: string, value: string) => void): void {
    for (let at = 0; at < this.fields.length; at += FIELD_STRIDE) {
      if (this.fields[at + 1] !== REMOVED) visit(this.nameAt(at), this.valueAt(at));
    }
    const { added } = this;
    for (let i = 0; i < added.length; i += ADDED_STRIDE) visit(added[i] ?? "", added[i + 2] ?? "");
  }

  add(name: string, value: string): void {
    this.append(name, checkField(name, value), value);
  }

  set(name: string, value: string): void {
    const prefix = checkField(name, value);
    this.remove(name);
    this.append(name, prefix, value);
  }

  setOwn(name: string, value: string): void {
    this.remove(name);
    this.append(name, (KNOWN_NAMES.get(name) ?? know(name)).linePrefix, value);
  }

  remove(name: string): boolean {
    if ((this.bits & nameBit(name)) === 0) return false;
    const found = this.removeReceived(name);
    const at = this.addedIndexOf(name);
    if (at < 0) return found;
    this.removeAdded(name, at);
    return true;
  }

  removeAll({ names, bits }: NameList): void {
    for (let i = 0; i < bits.length; i += 1) if ((this.bits & (bits[i] ?? 0)) !== 0) this.remove(names[i] ?? "");
  }

  removeWhere(isRemoved: (name: string) => boolean): void {
    for (let at = 0; at < this.fields.length; at += FIELD_STRIDE) {
      if (this.fields[at + 1] !== REMOVED && isRemoved(this.nameAt(at))) this.removeAt(at);
    }
    const { added } = this;
    const kept: string[] = [];
    for (let i = 0; i < added.length; i += ADDED_STRIDE)
      if (!isRemoved(added[i] ?? "")) kept.push(...added.slice(i, i + ADDED_STRIDE));
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
    copy.bits = this.bits;
    return copy;
  }

  encode(): string {
    let out =
      this.removedCount === 0 ? this.text.slice(this.fields[0] ?? this.textEnd, this.textEnd) : this.encodeRuns();
    const { added } = this;
    for (let i = 0; i < added.length; i += ADDED_STRIDE) out = out + added[i + 1] + added[i + 2] + CRLF;
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
    for (let at = from; at < fields.length; at += FIELD_STRIDE) {
      const start = fields[at] ?? 0;
      if ((fields[at + 1] ?? 0) - start !== length) continue;
      if (this.isLowerCase ? text.startsWith(name, start) : text.slice(start, start + length).toLowerCase() === name)
        return at;
    }
    return -1;
  }

  private append(name: string, linePrefix: string, value: string): void {
    this.bits |= nameBit(name);
    this.added.push(name, linePrefix, value);
  }

  private addedIndexOf(name: string): number {
    const { added } = this;
    for (let i = 0; i < added.length; i += ADDED_STRIDE) if (added[i] === name) return i;
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
    const { added } = this;
    let to = first;
    for (let i = first + ADDED_STRIDE; i < added.length; i += ADDED_STRIDE) {
      if (added[i] === name) continue;
      for (let k = 0; k < ADDED_STRIDE; k += 1) added[to + k] = added[i + k] ?? "";
      to += ADDED_STRIDE;
    }
    added.length = to;
  }
}

const CRLF = "\r\n";
/** For names whose case was kept: every look-up compares. */
const ANY_NAME = -1;
const VALID_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// Characters above 0xff would be cut to their low byte when written as latin1, so they are refused, not silently turned into CR or LF.
const VALID_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What is known of a name after its first use. */
interface KnownName {
  /** `name: ` */
  readonly linePrefix: string;
  /** The last value that was found valid: what proxies set is mostly the same text from code or configuration. */
  lastValue: string;
}

/** hot: names that proxies add come from code and configuration, so a few hundred are checked once; bounded, since some come from peers. */
const KNOWN_NAMES = new Map<string, KnownName>();
const MAX_KNOWN_NAMES = 512;

/** Throws codec.header.invalid for what no field may hold; every HeaderBlock calls it before it takes a field. Returns `name: `. */
export function checkField(name: string, value: string): string {
  const known = KNOWN_NAMES.get(name) ?? (VALID_NAME.test(name) ? know(name) : undefined);
  if (known !== undefined && known.lastValue === value) return known.linePrefix;
  if (known !== undefined && VALID_VALUE.test(value)) {
    known.lastValue = value;
    return known.linePrefix;
  }
  throw new MeshError(`header ${JSON.stringify(name)}: ${JSON.stringify(value)} cannot be sent`, {
    code: "codec.header.invalid",
    advice: "names are lower-case tokens; values hold no line ends or control characters",
  });
}

/** Of a valid name. */
function know(name: string): KnownName {
  const known = { linePrefix: `${name}: `, lastValue: "" };
  if (KNOWN_NAMES.size < MAX_KNOWN_NAMES) KNOWN_NAMES.set(name, known);
  return known;
}
