/** Keys of any type: existence, expiry, listing. https://redis.io/docs/latest/commands/?group=generic */
import {
  type CommandContext,
  CommandError,
  type CommandTable,
  compileGlob,
  readInteger,
  SYNTAX_ERROR,
} from "../command.ts";
import { array, bulk, bulks, integer, OK, type Reply } from "../resp.ts";

export const GENERIC_COMMANDS: CommandTable = {
  del: { arity: -2, writes: true, run: (names, { keys }) => integer(names.filter((key) => keys.delete(key)).length) },
  unlink: {
    arity: -2,
    writes: true,
    run: (names, { keys }) => integer(names.filter((key) => keys.delete(key)).length),
  },
  exists: { arity: -2, run: (names, { keys }) => integer(names.filter((key) => keys.get(key) !== undefined).length) },
  touch: { arity: -2, run: (names, { keys }) => integer(names.filter((key) => keys.get(key) !== undefined).length) },
  type: { arity: 2, run: ([key = ""], { keys }) => ({ kind: "simple", text: keys.get(key)?.type ?? "none" }) },
  keys: {
    arity: 2,
    run([pattern = ""], { keys }) {
      const matches = compileGlob(pattern);
      return bulks(keys.keys().filter(matches));
    },
  },
  scan: { arity: -2, run: scan },
  dbsize: { arity: 1, run: (_, { keys }) => integer(keys.keys().length) },
  randomkey: {
    arity: 1,
    run(_, { keys }) {
      const all = keys.keys();
      return bulk(all[Math.floor(Math.random() * all.length)] ?? null);
    },
  },
  flushall: { arity: -1, writes: true, run: flush },
  flushdb: { arity: -1, writes: true, run: flush },
  rename: {
    arity: 3,
    writes: true,
    run([from = "", to = ""], { keys }) {
      const value = keys.get(from);
      if (value === undefined) throw new CommandError("ERR no such key");
      const expiresAtMs = keys.expiresAt(from);
      keys.delete(from);
      keys.set(to, value, expiresAtMs);
      return OK;
    },
  },
  expire: {
    arity: -3,
    writes: true,
    run: (args, context) => expire("expire", args, context, (n, now) => now + n * 1000),
  },
  pexpire: { arity: -3, writes: true, run: (args, context) => expire("pexpire", args, context, (n, now) => now + n) },
  expireat: { arity: -3, writes: true, run: (args, context) => expire("expireat", args, context, (n) => n * 1000) },
  pexpireat: { arity: -3, writes: true, run: (args, context) => expire("pexpireat", args, context, (n) => n) },
  persist: {
    arity: 2,
    writes: true,
    run([key = ""], { keys }) {
      if (keys.expiresAt(key) === undefined) return integer(0);
      keys.setExpiry(key, undefined);
      return integer(1);
    },
  },
  ttl: { arity: 2, run: ([key = ""], context) => left(context, key, (ms) => Math.round(ms / 1000)) },
  pttl: { arity: 2, run: ([key = ""], context) => left(context, key, (ms) => ms) },
  expiretime: {
    arity: 2,
    run: ([key = ""], { keys }) => integer(deadline(keys.get(key), keys.expiresAt(key), (ms) => Math.floor(ms / 1000))),
  },
  pexpiretime: {
    arity: 2,
    run: ([key = ""], { keys }) => integer(deadline(keys.get(key), keys.expiresAt(key), (ms) => ms)),
  },
};

function flush(_: readonly string[], { keys }: CommandContext): Reply {
  keys.clear();
  return OK;
}

/** The cursor is the position in a listing by name; everything that was there all the time is returned, as SCAN promises. */
function scan([cursor, ...options]: readonly string[], { keys }: CommandContext): Reply {
  const start = readInteger(cursor, "ERR invalid cursor");
  let matches: (key: string) => boolean = () => true;
  let count = 10;
  let type: string | undefined;
  for (let i = 0; i < options.length; i += 2) {
    const option = options[i]?.toUpperCase();
    const value = options[i + 1];
    if (value === undefined) throw new CommandError(SYNTAX_ERROR);
    if (option === "MATCH") matches = compileGlob(value);
    else if (option === "COUNT") count = readInteger(value);
    else if (option === "TYPE") type = value.toLowerCase();
    else throw new CommandError(SYNTAX_ERROR);
  }
  if (count < 1) throw new CommandError(SYNTAX_ERROR);
  const all = keys.keys();
  const page = all.slice(start, start + count);
  const next = start + count >= all.length ? 0 : start + count;
  const found = page.filter((key) => matches(key) && (type === undefined || keys.get(key)?.type === type));
  return array([bulk(String(next)), bulks(found)]);
}

function expire(
  name: string,
  [key = "", amount, option]: readonly string[],
  { keys }: CommandContext,
  toMs: (n: number, now: number) => number,
): Reply {
  const at = toMs(readInteger(amount), keys.now());
  if (!Number.isSafeInteger(at)) throw new CommandError(`ERR invalid expire time in '${name}' command`);
  const condition = option?.toUpperCase();
  if (condition !== undefined && !["NX", "XX", "GT", "LT"].includes(condition))
    throw new CommandError(`ERR Unsupported option ${option}`);
  if (keys.get(key) === undefined) return integer(0);
  const old = keys.expiresAt(key);
  const isRefused =
    (condition === "NX" && old !== undefined) ||
    (condition === "XX" && old === undefined) ||
    (condition === "GT" && (old === undefined || at <= old)) ||
    (condition === "LT" && old !== undefined && at >= old);
  if (isRefused) return integer(0);
  if (at <= keys.now()) keys.delete(key);
  else keys.setExpiry(key, at);
  return integer(1);
}

function left({ keys }: CommandContext, key: string, unit: (ms: number) => number): Reply {
  return integer(deadline(keys.get(key), keys.expiresAt(key), (at) => unit(at - keys.now())));
}

/** -2 without the key, -1 without an expiry. */
function deadline(value: unknown, expiresAtMs: number | undefined, read: (ms: number) => number): number {
  if (value === undefined) return -2;
  return expiresAtMs === undefined ? -1 : read(expiresAtMs);
}
