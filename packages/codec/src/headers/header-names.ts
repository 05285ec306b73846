/**
 * Names of header fields as a proxy asks for them. A block remembers one bit for each name it holds, so that the many look-ups for names
 * that are not there end after one test; a list of names that are removed together knows its bits beforehand.
 */
export interface NameList {
  readonly names: readonly string[];
  /** nameBit() of each name. */
  readonly bits: readonly number[];
}

export function createNameList(names: readonly string[]): NameList {
  return { names, bits: names.map(nameBit) };
}

/** One of 32 bits. Two names may share one: a set bit says "perhaps", a clear one "no". The name is not empty. */
export function nameBit(name: string): number {
  return bitOf(name.charCodeAt(0), name.charCodeAt(name.length - 1), name.length);
}

/** The factors separate the names that requests and responses usually have from those that a proxy looks for in vain. */
export function bitOf(first: number, last: number, length: number): number {
  return 1 << ((first * 17 + last * 2 + length) & 31);
}
