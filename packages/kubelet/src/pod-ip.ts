/**
 * Pod IPs from 10.244.0.0/16, one after the other: an address is not given out again until the range wraps, so nothing that is still on its way to a
 * dead pod reaches a new one. Addresses that end in .0 or .255 are left out. A position that no address is beyond survives restarts in a file: it is
 * written once for many addresses, since pods come in dozens.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface PodIpAllocator {
  allocate(): string;
  /** An address that a pod holds already (adopted). */
  reserve(ip: string): void;
  release(ip: string): void;
}

const PREFIX = "10.244.";
const LAST = 0xffff;
const ADDRESSES_A_WRITE = 64;

export function createPodIpAllocator(file: string): PodIpAllocator {
  const held = new Set<string>();
  let last = readPosition(file);
  let left = 0;
  return {
    allocate() {
      for (let tries = 0; tries <= LAST; tries++) {
        last = last >= LAST ? 1 : last + 1;
        left -= 1;
        const low = last & 0xff;
        const ip = `${PREFIX}${last >> 8}.${low}`;
        if (low === 0 || low === 255 || held.has(ip)) continue;
        held.add(ip);
        if (left < 0) {
          left = ADDRESSES_A_WRITE;
          writePosition(file, (last + left) % LAST);
        }
        return ip;
      }
      throw new Error("every pod IP is in use");
    },
    reserve: (ip) => void held.add(ip),
    release: (ip) => void held.delete(ip),
  };
}

function readPosition(file: string): number {
  try {
    const position = Number(readFileSync(file, "utf8"));
    return Number.isInteger(position) && position >= 1 && position <= LAST ? position : 1;
  } catch {
    return 1; // the first start
  }
}

function writePosition(file: string, position: number): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, String(position));
  renameSync(`${file}.tmp`, file);
}
