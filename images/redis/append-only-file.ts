/**
 * The data set on disk: every command that changed it, in RESP, as Redis' appendonly file. Relative expiries are written as absolute ones.
 * A record that was cut off (the process died while writing) ends the file at the record before.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Keyspace } from "./keyspace.ts";
import { createCommandReader } from "./resp.ts";

export interface AppendOnlyFile {
  append(argv: readonly string[], keys: Keyspace): void;
  /** Replaces the file by the shortest one that gives the same data. */
  rewrite(keys: Keyspace): void;
  close(): void;
}

const FILE = "appendonly.aof";

/** Replays what is there through `apply`, then opens the file for appending. Throws when the directory can't be written. */
export function openAppendOnlyFile(dir: string, apply: (argv: readonly string[]) => void): AppendOnlyFile {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, FILE);
  if (existsSync(path)) replay(path, apply);
  let fd = openSync(path, "a");
  const write = (text: string) => void writeSync(fd, Buffer.from(text, "latin1"));
  return {
    append(argv, keys) {
      write(encodeCommand(absolute(argv, keys)));
    },
    rewrite(keys) {
      const temporary = `${path}.rewrite`;
      const next = openSync(temporary, "w");
      for (const key of keys.keys()) {
        for (const argv of recreate(key, keys)) writeSync(next, Buffer.from(encodeCommand(argv), "latin1"));
      }
      fdatasyncSync(next);
      closeSync(next);
      renameSync(temporary, path);
      closeSync(fd);
      fd = openSync(path, "a");
    },
    close() {
      fdatasyncSync(fd);
      closeSync(fd);
    },
  };
}

function replay(path: string, apply: (argv: readonly string[]) => void): void {
  const text = readFileSync(path, "latin1");
  const reader = createCommandReader();
  let goodBytes = 0;
  for (const parsed of reader.push(text)) {
    if (parsed.kind === "error") break;
    apply(parsed.args);
    goodBytes += encodeCommand(parsed.args).length;
  }
  if (goodBytes < text.length) truncateSync(path, goodBytes);
}

function encodeCommand(argv: readonly string[]): string {
  return `*${argv.length}\r\n${argv.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}

/** The command that gives the same result whenever it is replayed: an expiry is taken from the key as it is now. */
function absolute(argv: readonly string[], keys: Keyspace): readonly string[] {
  const [word = "", key = ""] = argv;
  const name = word.toLowerCase();
  const at = keys.expiresAt(key);
  const value = keys.get(key);
  if (["expire", "pexpire", "expireat", "pexpireat", "getex"].includes(name)) {
    if (value === undefined) return ["DEL", key];
    return at === undefined ? ["PERSIST", key] : ["PEXPIREAT", key, String(at)];
  }
  if (["set", "setex", "psetex"].includes(name) && value?.type === "string") {
    return at === undefined ? ["SET", key, value.text] : ["SET", key, value.text, "PXAT", String(at)];
  }
  return argv;
}

function recreate(key: string, keys: Keyspace): readonly (readonly string[])[] {
  const value = keys.get(key);
  if (value === undefined) return [];
  const at = keys.expiresAt(key);
  const expiry = at === undefined ? [] : [["PEXPIREAT", key, String(at)]];
  switch (value.type) {
    case "string":
      return [["SET", key, value.text], ...expiry];
    case "hash":
      return [["HSET", key, ...[...value.fields].flat()], ...expiry];
    case "list":
      return [["RPUSH", key, ...value.items], ...expiry];
    case "set":
      return [["SADD", key, ...value.members], ...expiry];
    case "zset":
      return [["ZADD", key, ...[...value.scores].flatMap(([member, score]) => [String(score), member])], ...expiry];
  }
}
