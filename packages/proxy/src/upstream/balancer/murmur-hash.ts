/** MurmurHash2 64A with the seed of libstdc++, the other hash function of Envoy's ring (MURMUR_HASH_2). */
const MASK = 0xffff_ffff_ffff_ffffn;
const MULTIPLIER = 0xc6a4_a793_5bd1_e995n;
const STD_SEED = 0xc70f_6907n;

export function murmurHash2(text: string): bigint {
  const bytes = Buffer.from(text, "latin1");
  const { length } = bytes;
  let hash = STD_SEED ^ ((BigInt(length) * MULTIPLIER) & MASK);
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    const word = (mix((bytes.readBigUInt64LE(at) * MULTIPLIER) & MASK) * MULTIPLIER) & MASK;
    hash = ((hash ^ word) * MULTIPLIER) & MASK;
  }
  if (at < length) {
    let rest = 0n;
    for (let i = length - 1; i >= at; i--) rest = (rest << 8n) | BigInt(bytes[i] ?? 0);
    hash = ((hash ^ rest) * MULTIPLIER) & MASK;
  }
  return mix((mix(hash) * MULTIPLIER) & MASK);
}

function mix(value: bigint): bigint {
  return value ^ (value >> 47n);
}
