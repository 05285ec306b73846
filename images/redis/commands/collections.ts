/** Lists, sets and sorted sets. https://redis.io/docs/latest/commands/?group=list (set, sorted-set) */
import {
  type CommandContext,
  CommandError,
  type CommandTable,
  readFloat,
  readInteger,
  SYNTAX_ERROR,
} from "../command.ts";
import { array, bulk, bulks, failure, integer, NULL, OK, type Reply } from "../resp.ts";

export const LIST_COMMANDS: CommandTable = {
  lpush: { arity: -3, writes: true, run: (args, context) => push(args, context, "left", true) },
  rpush: { arity: -3, writes: true, run: (args, context) => push(args, context, "right", true) },
  lpushx: { arity: -3, writes: true, run: (args, context) => push(args, context, "left", false) },
  rpushx: { arity: -3, writes: true, run: (args, context) => push(args, context, "right", false) },
  lpop: { arity: -2, writes: true, run: (args, context) => pop(args, context, "left") },
  rpop: { arity: -2, writes: true, run: (args, context) => pop(args, context, "right") },
  llen: { arity: 2, run: ([key = ""], { keys }) => integer(keys.typed(key, "list")?.items.length ?? 0) },
  lrange: {
    arity: 4,
    run: ([key = "", from, to], { keys }) => bulks(slice(keys.typed(key, "list")?.items ?? [], from, to)),
  },
  lindex: {
    arity: 3,
    run: ([key = "", at], { keys }) => bulk(keys.typed(key, "list")?.items.at(readInteger(at)) ?? null),
  },
  lset: {
    arity: 4,
    writes: true,
    run([key = "", at, text = ""], { keys }) {
      const items = keys.typed(key, "list")?.items;
      if (items === undefined) return failure("ERR no such key");
      const index = readInteger(at);
      const position = index < 0 ? items.length + index : index;
      if (position < 0 || position >= items.length) return failure("ERR index out of range");
      items[position] = text;
      keys.touch(key);
      return OK;
    },
  },
  lrem: {
    arity: 4,
    writes: true,
    run([key = "", many, text = ""], { keys }) {
      const items = keys.typed(key, "list")?.items ?? [];
      const count = readInteger(many);
      let removed = 0;
      const limit = count === 0 ? items.length : Math.abs(count);
      while (removed < limit) {
        const at = count < 0 ? items.lastIndexOf(text) : items.indexOf(text);
        if (at === -1) break;
        items.splice(at, 1);
        removed += 1;
      }
      if (removed > 0) keys.touch(key);
      if (items.length === 0) keys.delete(key);
      return integer(removed);
    },
  },
  ltrim: {
    arity: 4,
    writes: true,
    run([key = "", from, to], { keys }) {
      const items = keys.typed(key, "list")?.items;
      if (items === undefined) return OK;
      items.splice(0, items.length, ...slice(items, from, to));
      keys.touch(key);
      if (items.length === 0) keys.delete(key);
      return OK;
    },
  },
};

export const SET_COMMANDS: CommandTable = {
  sadd: {
    arity: -3,
    writes: true,
    run([key = "", ...added], { keys }) {
      let members = keys.typed(key, "set")?.members;
      if (members === undefined) {
        members = new Set();
        keys.set(key, { type: "set", members });
      }
      const before = members.size;
      for (const member of added) members.add(member);
      keys.touch(key);
      return integer(members.size - before);
    },
  },
  srem: {
    arity: -3,
    writes: true,
    run([key = "", ...names], { keys }) {
      const members = keys.typed(key, "set")?.members;
      const removed = names.filter((name) => members?.delete(name)).length;
      if (members?.size === 0) keys.delete(key);
      else if (removed > 0) keys.touch(key);
      return integer(removed);
    },
  },
  smembers: {
    arity: 2,
    run: ([key = ""], context) => ({ kind: "set", items: [...membersOf(key, context)].map(bulk) }),
  },
  sismember: {
    arity: 3,
    run: ([key = "", member = ""], context) => integer(membersOf(key, context).has(member) ? 1 : 0),
  },
  smismember: {
    arity: -3,
    run: ([key = "", ...names], context) =>
      array(names.map((name) => integer(membersOf(key, context).has(name) ? 1 : 0))),
  },
  scard: { arity: 2, run: ([key = ""], context) => integer(membersOf(key, context).size) },
  sinter: {
    arity: -2,
    run: ([first = "", ...others], context) => ({
      kind: "set",
      items: [...membersOf(first, context)]
        .filter((m) => others.every((key) => membersOf(key, context).has(m)))
        .map(bulk),
    }),
  },
  sunion: {
    arity: -2,
    run: (names, context) => ({
      kind: "set",
      items: [...new Set(names.flatMap((key) => [...membersOf(key, context)]))].map(bulk),
    }),
  },
  sdiff: {
    arity: -2,
    run: ([first = "", ...others], context) => ({
      kind: "set",
      items: [...membersOf(first, context)]
        .filter((m) => !others.some((key) => membersOf(key, context).has(m)))
        .map(bulk),
    }),
  },
  sscan: { arity: -3, run: ([key = ""], context) => array([bulk("0"), bulks([...membersOf(key, context)])]) },
};

export const SORTED_SET_COMMANDS: CommandTable = {
  zadd: {
    arity: -4,
    writes: true,
    run([key = "", ...pairs], { keys }) {
      if (pairs.length % 2 === 1) return failure(SYNTAX_ERROR);
      const parsed = pairs.flatMap((text, i) => (i % 2 === 0 ? [[readFloat(text), pairs[i + 1] ?? ""] as const] : []));
      let scores = keys.typed(key, "zset")?.scores;
      if (scores === undefined) {
        scores = new Map();
        keys.set(key, { type: "zset", scores });
      }
      const before = scores.size;
      for (const [score, member] of parsed) scores.set(member, score);
      keys.touch(key);
      return integer(scores.size - before);
    },
  },
  zscore: {
    arity: 3,
    run([key = "", member = ""], { keys }) {
      const score = keys.typed(key, "zset")?.scores.get(member);
      return score === undefined ? NULL : { kind: "double", value: score };
    },
  },
  zcard: { arity: 2, run: ([key = ""], { keys }) => integer(keys.typed(key, "zset")?.scores.size ?? 0) },
  zrem: {
    arity: -3,
    writes: true,
    run([key = "", ...names], { keys }) {
      const scores = keys.typed(key, "zset")?.scores;
      const removed = names.filter((name) => scores?.delete(name)).length;
      if (scores?.size === 0) keys.delete(key);
      else if (removed > 0) keys.touch(key);
      return integer(removed);
    },
  },
  zrange: {
    arity: -4,
    run([key = "", from, to, option], context) {
      if (option !== undefined && option.toUpperCase() !== "WITHSCORES") return failure(SYNTAX_ERROR);
      const ranked = slice(rankedOf(key, context), from, to);
      if (option === undefined) return bulks(ranked.map(([member]) => member));
      const pair = ([member, value]: readonly [string, number]): readonly Reply[] => [
        bulk(member),
        { kind: "double", value },
      ];
      return context.session.protocol === 3
        ? array(ranked.map((entry) => array(pair(entry))))
        : array(ranked.flatMap(pair));
    },
  },
  zrank: {
    arity: 3,
    run([key = "", member], context) {
      const rank = rankedOf(key, context).findIndex(([name]) => name === member);
      return rank === -1 ? NULL : integer(rank);
    },
  },
};

function push(
  [key = "", ...added]: readonly string[],
  { keys }: CommandContext,
  end: "left" | "right",
  mayCreate: boolean,
): Reply {
  let items = keys.typed(key, "list")?.items;
  if (items === undefined) {
    if (!mayCreate) return integer(0);
    items = [];
    keys.set(key, { type: "list", items });
  }
  for (const item of added) end === "left" ? items.unshift(item) : items.push(item);
  keys.touch(key);
  return integer(items.length);
}

function pop([key = "", many]: readonly string[], { keys }: CommandContext, end: "left" | "right"): Reply {
  const count = many === undefined ? 1 : readInteger(many, "ERR value is out of range, must be positive");
  if (count < 0) throw new CommandError("ERR value is out of range, must be positive");
  const items = keys.typed(key, "list")?.items;
  if (items === undefined) return many === undefined ? NULL : array(null);
  const taken =
    end === "left" ? items.splice(0, count) : items.splice(Math.max(0, items.length - count), count).reverse();
  if (items.length === 0) keys.delete(key);
  else keys.touch(key);
  return many === undefined ? bulk(taken[0] ?? null) : bulks(taken);
}

/** Inclusive positions, negative ones from the end. */
function slice<T>(items: readonly T[], from: string | undefined, to: string | undefined): readonly T[] {
  const start = readInteger(from);
  const end = readInteger(to);
  return items.slice(start < 0 ? Math.max(0, items.length + start) : start, (end < 0 ? items.length + end : end) + 1);
}

function membersOf(key: string, { keys }: CommandContext): ReadonlySet<string> {
  return keys.typed(key, "set")?.members ?? new Set();
}

function rankedOf(key: string, { keys }: CommandContext): readonly (readonly [string, number])[] {
  const scores = keys.typed(key, "zset")?.scores ?? new Map<string, number>();
  return [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}
