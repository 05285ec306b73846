/**
 * Keys, values and their expiry. A key that has expired is gone for every reader, whether or not it was swept yet.
 * Empty collections do not exist: whoever takes the last element removes the key.
 */
export type Value =
  | { readonly type: "string"; text: string }
  | { readonly type: "hash"; readonly fields: Map<string, string> }
  | { readonly type: "list"; readonly items: string[] }
  | { readonly type: "set"; readonly members: Set<string> }
  | { readonly type: "zset"; readonly scores: Map<string, number> };

export type ValueType = Value["type"];

interface Entry {
  readonly value: Value;
  /** Epoch milliseconds. */
  expiresAtMs: number | undefined;
}

export class WrongTypeError extends Error {}

export interface Keyspace {
  readonly now: () => number;
  get(key: string): Value | undefined;
  /** The value if it has the type; throws WrongTypeError for another one. */
  typed<T extends ValueType>(key: string, type: T): Extract<Value, { type: T }> | undefined;
  set(key: string, value: Value, expiresAtMs?: number): void;
  /** Replaces the value and keeps the expiry. */
  replace(key: string, value: Value): void;
  delete(key: string): boolean;
  expiresAt(key: string): number | undefined;
  setExpiry(key: string, expiresAtMs: number | undefined): void;
  keys(): readonly string[];
  size(): number;
  clear(): void;
  /** Removes what has expired, at most `limit` keys; returns how many. */
  sweep(limit: number): number;
  /** Counts every change; WATCH compares it. */
  version(key: string): number;
  touch(key: string): void;
}

export function createKeyspace(now: () => number): Keyspace {
  const entries = new Map<string, Entry>();
  const versions = new Map<string, number>();
  let changes = 0;
  const touch = (key: string) => void versions.set(key, ++changes);
  const find = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    if (entry?.expiresAtMs === undefined || entry.expiresAtMs > now()) return entry;
    entries.delete(key);
    touch(key);
    return undefined;
  };
  return {
    now,
    get: (key) => find(key)?.value,
    typed<T extends ValueType>(key: string, type: T) {
      const value = find(key)?.value;
      if (value !== undefined && value.type !== type) throw new WrongTypeError();
      return value as Extract<Value, { type: T }> | undefined;
    },
    set(key, value, expiresAtMs) {
      entries.set(key, { value, expiresAtMs });
      touch(key);
    },
    replace(key, value) {
      entries.set(key, { value, expiresAtMs: find(key)?.expiresAtMs });
      touch(key);
    },
    delete(key) {
      const existed = find(key) !== undefined;
      entries.delete(key);
      if (existed) touch(key);
      return existed;
    },
    expiresAt: (key) => find(key)?.expiresAtMs,
    setExpiry(key, expiresAtMs) {
      const entry = find(key);
      if (entry === undefined) return;
      entry.expiresAtMs = expiresAtMs;
      touch(key);
    },
    keys: () => [...entries.keys()].filter((key) => find(key) !== undefined),
    size: () => entries.size,
    clear() {
      for (const key of entries.keys()) touch(key);
      entries.clear();
    },
    sweep(limit) {
      let removed = 0;
      const time = now();
      for (const [key, entry] of entries) {
        if (removed >= limit) break;
        if (entry.expiresAtMs !== undefined && entry.expiresAtMs <= time) {
          entries.delete(key);
          touch(key);
          removed += 1;
        }
      }
      return removed;
    },
    version: (key) => versions.get(key) ?? 0,
    touch,
  };
}
