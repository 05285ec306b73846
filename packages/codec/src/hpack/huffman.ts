/**
 * Huffman strings of HPACK (RFC 7541 §5.2). Decoding walks a state machine four bits at a time: a state is an inner node of the code's
 * tree, and as no code is shorter than five bits, one step completes at most one symbol.
 * A padding of more than seven bits, one that is not all ones, and the EOS symbol are refused.
 */
import { CODE_LENGTHS, CODES, EOS } from "./huffman-code.ts";

/** Bytes that huffmanEncode would write. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i += 1) bits += CODE_LENGTHS[text.charCodeAt(i) & 0xff] ?? 0;
  return (bits + 7) >> 3;
}

/** Writes the code of a latin1 text; returns the position after it. The caller has made room. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let position = at;
  let pending = 0;
  let pendingBits = 0;
  for (let i = 0; i < text.length; i += 1) {
    const symbol = text.charCodeAt(i) & 0xff;
    let length = CODE_LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    if (length > 24) {
      // Two parts, so that never more than 31 bits are pending.
      length -= 16;
      pending = (pending << length) | (code >>> 16);
      pendingBits += length;
      while (pendingBits >= 8) {
        pendingBits -= 8;
        target[position++] = pending >>> pendingBits;
      }
      pending = (pending << 16) | (code & 0xffff);
      pendingBits += 16;
    } else {
      pending = (pending << length) | code;
      pendingBits += length;
    }
    while (pendingBits >= 8) {
      pendingBits -= 8;
      target[position++] = pending >>> pendingBits;
    }
  }
  if (pendingBits > 0) target[position++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
  return position;
}

const NO_SYMBOL = 0x100;
const REFUSED = 0x200;
/** By state * 16 + nibble: next state << 16 | REFUSED | NO_SYMBOL | symbol. */
const STEPS = new Int32Array(EOS * 16);
/** 1 where a text may end: at the root, and after one to seven ones. */
const MAY_END = new Uint8Array(EOS);
buildSteps();

/** A text of `length` bytes grows at most by 8/5. */
export function maxDecodedLength(length: number): number {
  return ((length * 8) / 5 + 1) | 0;
}

/** Decodes [start, end) into `target`, which has room for maxDecodedLength; returns how many bytes that made, or -1. */
export function huffmanDecode(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at += 1) {
    const byte = source[at] ?? 0;
    let step = STEPS[(state << 4) | (byte >> 4)] ?? REFUSED;
    if ((step & NO_SYMBOL) === 0) target[length++] = step;
    const first = step;
    step = STEPS[((step >> 16) << 4) | (byte & 15)] ?? REFUSED;
    if ((step & NO_SYMBOL) === 0) target[length++] = step;
    if (((first | step) & REFUSED) !== 0) return -1;
    state = step >> 16;
  }
  return MAY_END[state] === 1 ? length : -1;
}

function buildSteps(): void {
  // Inner nodes are numbered as they are found; children: another node, or -1 - symbol.
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol <= EOS; symbol += 1) {
    const length = CODE_LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const slot = node * 2 + ((code >>> bit) & 1);
      if (children[slot] === 0) {
        children[slot] = children.length / 2;
        children.push(0, 0);
      }
      node = children[slot] ?? 0;
    }
    children[node * 2 + (code & 1)] = -1 - symbol;
  }
  for (let state = 0; state < EOS; state += 1) {
    for (let nibble = 0; nibble < 16; nibble += 1) STEPS[state * 16 + nibble] = stepOf(children, state, nibble);
  }
  let ones = 0;
  for (let depth = 0; depth <= 7; depth += 1) {
    MAY_END[ones] = 1;
    ones = children[ones * 2 + 1] ?? 0;
  }
}

function stepOf(children: readonly number[], state: number, nibble: number): number {
  let node = state;
  let symbol = NO_SYMBOL;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const child = children[node * 2 + ((nibble >> bit) & 1)] ?? 0;
    if (child >= 0) {
      node = child;
      continue;
    }
    symbol = -1 - child;
    if (symbol === EOS) return REFUSED | NO_SYMBOL;
    node = 0;
  }
  return (node << 16) | symbol;
}
