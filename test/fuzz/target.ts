/** What can be fuzzed: a decoder with the properties that must hold for every input. */
export interface Target {
  readonly name: string;
  /** Pieces that random bytes would hardly ever make, and what a first corpus is mixed from. */
  readonly dictionary: readonly string[];
  /** Throws a Violation (or anything else) when a property does not hold. `cut` gives positions where the bytes are split. */
  check(input: Buffer, cut: Cutter): void;
}

/** Random pieces of a buffer, the same for the same seed. Empty pieces are left out. */
export type Cutter = (input: Buffer) => readonly Buffer[];

export class Violation extends Error {}

export function same(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Violation(`${what}\n  got      ${a?.slice(0, 600)}\n  expected ${b?.slice(0, 600)}`);
}

/** A copy that nobody else writes to: the HTTP/1 reader lower-cases names in place. */
export function copyOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes);
}
