/** What every certificate that istiod makes begins with. */
import { randomBytes } from "node:crypto";

/** Certificates are valid from a little before now: clocks differ. */
const SKEW_MS = 120_000;

export function notBefore(now: number): number {
  return now - SKEW_MS;
}

/** 127 random bits: positive, as RFC 5280 §4.1.2.2 demands. */
export function newSerialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}
