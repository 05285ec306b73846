/** Makes inputs from a corpus: a few random edits, spliced with other inputs and with words of the target's dictionary. Seeded. */
export interface Random {
  /** An integer in [0, below). */
  below(limit: number): number;
}

/** mulberry32: small, fast, good enough to choose edits. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, limit);
    },
  };
}

const MAX_BYTES = 4096;
const INTERESTING = [0, 1, 9, 10, 13, 32, 34, 37, 44, 47, 48, 58, 59, 64, 92, 127, 128, 254, 255];

export function mutate(
  input: Buffer,
  corpus: readonly Buffer[],
  dictionary: readonly string[],
  random: Random,
): Buffer {
  let bytes = input;
  const edits = 1 + random.below(6);
  for (let i = 0; i < edits; i++) bytes = edit(bytes, corpus, dictionary, random);
  return bytes.length > MAX_BYTES ? bytes.subarray(0, MAX_BYTES) : bytes;
}

function edit(bytes: Buffer, corpus: readonly Buffer[], dictionary: readonly string[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + random.below(random.below(4) === 0 ? 64 : 6));
  const replace = (middle: Buffer, end = to) => Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)]);
  switch (random.below(9)) {
    case 0: {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
      return changed;
    }
    case 1:
      return replace(Buffer.of(INTERESTING[random.below(INTERESTING.length)] ?? 0), Math.min(bytes.length, at + 1));
    case 2:
      return replace(Buffer.of(random.below(256)), at);
    case 3:
      return replace(Buffer.alloc(0));
    case 4:
      return replace(Buffer.concat([bytes.subarray(at, to), bytes.subarray(at, to)]));
    case 5:
    case 6: {
      const word = Buffer.from(dictionary[random.below(dictionary.length)] ?? "", "latin1");
      return replace(word, random.below(2) === 0 ? at : to);
    }
    case 7: {
      const other = corpus[random.below(corpus.length)] ?? bytes;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
    default:
      return bytes.subarray(0, at);
  }
}
