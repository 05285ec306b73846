/** One large body through a proxy, read slowly: the reader stands still at first and again and again, and every byte is checked. */
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const PATTERN = Buffer.from(Array.from({ length: 65_521 }, (_, i) => (i * 31) & 0xff));
const STAND_STILL_MS = 700;
const STOPS = 5;

/** Writes as fast as the other side lets it. */
export async function sendPattern(to: Writable, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; ) {
    const piece = PATTERN.subarray(0, Math.min(PATTERN.length, bytes - sent));
    sent += piece.length;
    if (!to.write(piece)) await once(to, "drain");
  }
  to.end();
}

/** Reads it all; throws when a byte is wrong or missing. */
export async function readSlowly(from: Readable, bytes: number): Promise<void> {
  await sleep(STAND_STILL_MS);
  const between = Math.ceil(bytes / STOPS);
  let seen = 0;
  let nextStop = between;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const offset = (seen + at) % PATTERN.length;
      const length = Math.min(chunk.length - at, PATTERN.length - offset);
      if (chunk.compare(PATTERN, offset, offset + length, at, at + length) !== 0)
        throw new Error(`a byte within ${length} of ${seen + at} is wrong`);
      at += length;
    }
    seen += chunk.length;
    if (seen < nextStop) continue;
    nextStop += between;
    await sleep(STAND_STILL_MS);
  }
  if (seen !== bytes) throw new Error(`${seen} of ${bytes} bytes arrived`);
}
