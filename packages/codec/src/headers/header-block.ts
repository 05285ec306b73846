/**
 * The header fields of one message, for HTTP/1 and HTTP/2 alike. Names are lower case in every call.
 * Filters read and change it through this interface; the codec that made it knows how to write it again cheaply
 * (HTTP/1 keeps the received text and slices runs of untouched lines out of it).
 * Invariant: no value ever holds CR, LF or NUL and every name is a token; add() and set() throw codec.header.invalid otherwise.
 */
import type { NameList } from "./header-names.ts";

export interface HeaderBlock {
  /** The first value, without surrounding blanks. */
  get(name: string): string | undefined;
  /** Every value of the name, in order of arrival. */
  getAll(name: string): readonly string[];
  /** All values joined with "," as Envoy joins them for matching; undefined when there is none. */
  combined(name: string): string | undefined;
  has(name: string): boolean;
  forEach(visit: (name: string, value: string) => void): void;
  /** Appends a field; an equal name that is there already stays. */
  add(name: string, value: string): void;
  /** Replaces every field of that name by one. */
  set(name: string, value: string): void;
  /** set() without its checks: the name is a constant and the value is made by us of digits, letters and marks (ids, numbers, dates). */
  setOwn(name: string, value: string): void;
  /** Removes every field of that name; true when there was one. */
  remove(name: string): boolean;
  removeAll(list: NameList): void;
  /** Removes every field whose name the predicate accepts. */
  removeWhere(isRemoved: (name: string) => boolean): void;
  /** An independent copy (mirrors, retries). Shares the received text. */
  clone(): HeaderBlock;
  /** The fields as HTTP/1 text: `name: value` CRLF each, without the empty line. */
  encode(): string;
  /** Number of fields. */
  readonly size: number;
}
