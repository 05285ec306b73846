/** The loop: mutate, check, keep what fails. Inputs that pass and are new in kind join the corpus of the run. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createRandom, mutate, type Random } from "./mutate.ts";
import type { Cutter, Target } from "./target.ts";

export interface Finding {
  readonly input: Buffer;
  readonly error: Error;
}

/** The inputs kept for a target; each was a seed or broke something once. */
export function readCorpus(folder: string): readonly { readonly file: string; readonly input: Buffer }[] {
  return readdirSync(folder)
    .toSorted()
    .map((file) => ({ file, input: readFileSync(join(folder, file)) }));
}

export function createCutter(random: Random): Cutter {
  return (input) => {
    const pieces: Buffer[] = [];
    const size = random.below(3) === 0 ? 1 : 1 + random.below(40);
    for (let at = 0; at < input.length; ) {
      const next = Math.min(input.length, at + 1 + random.below(size));
      pieces.push(input.subarray(at, next));
      at = next;
    }
    return pieces;
  };
}

/** What is kept of inputs must not grow with their number. */
const MAX_HEAP_GROWTH = 50 * 1024 * 1024;
const RUNS_PER_READING = 100_000;

/** Bytes in use after a full collection. */
function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

export function fuzz(
  target: Target,
  seeds: readonly Buffer[],
  seed: number,
  isOver: (runs: number) => boolean,
): { readonly runs: number; readonly finding: Finding | undefined } {
  const random = createRandom(seed);
  const cut = createCutter(random);
  const corpus = [...seeds, ...target.dictionary.map((word) => Buffer.from(word, "latin1"))];
  const heapBefore = heapInUse();
  let runs = 0;
  for (; !isOver(runs); runs++) {
    const base = corpus[random.below(corpus.length)] ?? Buffer.alloc(0);
    const input = mutate(base, corpus, target.dictionary, random);
    try {
      target.check(input, cut);
      if (runs % RUNS_PER_READING === 1 && heapInUse() - heapBefore > MAX_HEAP_GROWTH)
        throw new Error("the heap grew without bound");
    } catch (error) {
      const broken = error instanceof Error ? error : new Error(String(error));
      return { runs, finding: { input: shrink(input, target, cut, broken), error: broken } };
    }
    // A little evolution without coverage: now and then a survivor replaces one of the mixed inputs.
    if (random.below(50) === 0) corpus[seeds.length + random.below(Math.max(1, corpus.length - seeds.length))] = input;
  }
  return { runs, finding: undefined };
}

/** Takes pieces away while the same kind of failure stays. */
function shrink(input: Buffer, target: Target, cut: Cutter, error: Error): Buffer {
  const kind = error.message.split("\n")[0];
  const fails = (bytes: Buffer) => {
    try {
      target.check(bytes, cut);
      return false;
    } catch (other) {
      return other instanceof Error && other.message.split("\n")[0] === kind;
    }
  };
  let smallest = input;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length; ) {
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (fails(shorter)) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}
