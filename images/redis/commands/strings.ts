/** Strings and counters. https://redis.io/docs/latest/commands/?group=string */
import {
  type CommandContext,
  CommandError,
  type CommandTable,
  readBigInteger,
  readFloat,
  readInteger,
  SYNTAX_ERROR,
} from "../command.ts";
import { array, bulk, formatDouble, integer, NULL, OK, type Reply } from "../resp.ts";

export const STRING_COMMANDS: CommandTable = {
  get: { arity: 2, run: ([key = ""], { keys }) => bulk(keys.typed(key, "string")?.text ?? null) },
  set: { arity: -3, writes: true, run: set },
  setnx: {
    arity: 3,
    writes: true,
    run([key = "", text = ""], { keys }) {
      if (keys.get(key) !== undefined) return integer(0);
      keys.set(key, { type: "string", text });
      return integer(1);
    },
  },
  setex: {
    arity: 4,
    writes: true,
    run: ([key = "", seconds, text = ""], context) =>
      setWithExpiry(context, "setex", key, text, readInteger(seconds) * 1000),
  },
  psetex: {
    arity: 4,
    writes: true,
    run: ([key = "", ms, text = ""], context) => setWithExpiry(context, "psetex", key, text, readInteger(ms)),
  },
  getset: {
    arity: 3,
    writes: true,
    run([key = "", text = ""], { keys }) {
      const old = keys.typed(key, "string")?.text ?? null;
      keys.set(key, { type: "string", text });
      return bulk(old);
    },
  },
  getdel: {
    arity: 2,
    writes: true,
    run([key = ""], { keys }) {
      const old = keys.typed(key, "string")?.text ?? null;
      keys.delete(key);
      return bulk(old);
    },
  },
  getex: { arity: -2, writes: true, run: getex },
  mget: {
    arity: -2,
    run: (names, { keys }) =>
      array(
        names.map((key) => {
          const value = keys.get(key);
          return bulk(value?.type === "string" ? value.text : null);
        }),
      ),
  },
  mset: { arity: -3, writes: true, run: (pairs, context) => mset("mset", pairs, context) },
  msetnx: {
    arity: -3,
    writes: true,
    run(pairs, context) {
      if (pairs.some((key, i) => i % 2 === 0 && context.keys.get(key) !== undefined)) return integer(0);
      mset("msetnx", pairs, context);
      return integer(1);
    },
  },
  append: {
    arity: 3,
    writes: true,
    run([key = "", more = ""], { keys }) {
      const text = (keys.typed(key, "string")?.text ?? "") + more;
      keys.replace(key, { type: "string", text });
      return integer(text.length);
    },
  },
  strlen: { arity: 2, run: ([key = ""], { keys }) => integer(keys.typed(key, "string")?.text.length ?? 0) },
  getrange: {
    arity: 4,
    run([key = "", from, to], { keys }) {
      const text = keys.typed(key, "string")?.text ?? "";
      const start = readInteger(from);
      const end = readInteger(to);
      return bulk(
        text.slice(start < 0 ? Math.max(0, text.length + start) : start, (end < 0 ? text.length + end : end) + 1),
      );
    },
  },
  setrange: {
    arity: 4,
    writes: true,
    run([key = "", at, patch = ""], { keys }) {
      const offset = readInteger(at);
      if (offset < 0) throw new CommandError("ERR offset is out of range");
      const old = keys.typed(key, "string")?.text ?? "";
      if (patch === "") return integer(old.length);
      const text = old.padEnd(offset, "\0").slice(0, offset) + patch + old.slice(offset + patch.length);
      keys.replace(key, { type: "string", text });
      return integer(text.length);
    },
  },
  incr: { arity: 2, writes: true, run: ([key = ""], context) => add(context, key, 1n) },
  decr: { arity: 2, writes: true, run: ([key = ""], context) => add(context, key, -1n) },
  incrby: { arity: 3, writes: true, run: ([key = "", by = ""], context) => add(context, key, readBigInteger(by)) },
  decrby: { arity: 3, writes: true, run: ([key = "", by = ""], context) => add(context, key, -readBigInteger(by)) },
  incrbyfloat: {
    arity: 3,
    writes: true,
    run([key = "", by], { keys }) {
      const sum = readFloat(keys.typed(key, "string")?.text ?? "0") + readFloat(by);
      if (!Number.isFinite(sum)) throw new CommandError("ERR increment would produce NaN or Infinity");
      keys.replace(key, { type: "string", text: formatDouble(sum) });
      return bulk(formatDouble(sum));
    },
  },
};

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

function add({ keys }: CommandContext, key: string, by: bigint): Reply {
  const sum = readBigInteger(keys.typed(key, "string")?.text ?? "0") + by;
  if (sum > MAX || sum < MIN) throw new CommandError("ERR increment or decrement would overflow");
  keys.replace(key, { type: "string", text: String(sum) });
  return integer(sum);
}

function mset(name: string, pairs: readonly string[], { keys }: CommandContext): Reply {
  if (pairs.length % 2 === 1) throw new CommandError(`ERR wrong number of arguments for '${name}' command`);
  for (let i = 0; i < pairs.length; i += 2) keys.set(pairs[i] ?? "", { type: "string", text: pairs[i + 1] ?? "" });
  return OK;
}

function setWithExpiry({ keys }: CommandContext, name: string, key: string, text: string, ms: number): Reply {
  if (ms <= 0) throw new CommandError(`ERR invalid expire time in '${name}' command`);
  keys.set(key, { type: "string", text }, keys.now() + ms);
  return OK;
}

/** SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] */
function set(args: readonly string[], { keys }: CommandContext): Reply {
  const [key = "", text = "", ...options] = args;
  let condition: "NX" | "XX" | undefined;
  let isGet = false;
  let keepsTtl = false;
  let expiresAtMs: number | undefined;
  for (let i = 0; i < options.length; i++) {
    const option = (options[i] ?? "").toUpperCase();
    if ((option === "NX" || option === "XX") && condition === undefined) condition = option;
    else if (option === "GET") isGet = true;
    else if (option === "KEEPTTL" && expiresAtMs === undefined) keepsTtl = true;
    else if (isExpiryOption(option) && expiresAtMs === undefined && !keepsTtl && i + 1 < options.length) {
      expiresAtMs = readExpiry("set", option, options[++i], keys.now());
    } else throw new CommandError(SYNTAX_ERROR);
  }
  const old = isGet ? (keys.typed(key, "string")?.text ?? null) : null;
  const exists = keys.get(key) !== undefined;
  if (condition !== undefined && (condition === "XX") !== exists) return isGet ? bulk(old) : NULL;
  keys.set(key, { type: "string", text }, keepsTtl ? keys.expiresAt(key) : expiresAtMs);
  return isGet ? bulk(old) : OK;
}

function getex([key = "", option, value, extra]: readonly string[], { keys }: CommandContext): Reply {
  const name = option?.toUpperCase();
  const isPersist = name === "PERSIST" && value === undefined;
  if (extra !== undefined || (name !== undefined && !isPersist && (!isExpiryOption(name) || value === undefined)))
    throw new CommandError(SYNTAX_ERROR);
  const text = keys.typed(key, "string")?.text;
  if (text === undefined) return NULL;
  if (isPersist) keys.setExpiry(key, undefined);
  else if (name !== undefined) keys.setExpiry(key, readExpiry("getex", name, value, keys.now()));
  return bulk(text);
}

function isExpiryOption(option: string): boolean {
  return option === "EX" || option === "PX" || option === "EXAT" || option === "PXAT";
}

function readExpiry(command: string, option: string, value: string | undefined, now: number): number {
  const amount = readInteger(value);
  if (amount <= 0) throw new CommandError(`ERR invalid expire time in '${command}' command`);
  const ms = option.startsWith("EX") ? amount * 1000 : amount;
  return option.endsWith("AT") ? ms : now + ms;
}
