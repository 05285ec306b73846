/** Hashes. https://redis.io/docs/latest/commands/?group=hash */
import { type CommandContext, CommandError, type CommandTable, readBigInteger, readFloat } from "../command.ts";
import { array, bulk, bulks, formatDouble, integer, OK } from "../resp.ts";

export const HASH_COMMANDS: CommandTable = {
  hset: {
    arity: -4,
    writes: true,
    run: ([key = "", ...pairs], context) => integer(setFields("hset", key, pairs, context)),
  },
  hmset: {
    arity: -4,
    writes: true,
    run([key = "", ...pairs], context) {
      setFields("hmset", key, pairs, context);
      return OK;
    },
  },
  hsetnx: {
    arity: 4,
    writes: true,
    run([key = "", field = "", value = ""], context) {
      if (fieldsOf(key, context)?.has(field) === true) return integer(0);
      return integer(setFields("hsetnx", key, [field, value], context));
    },
  },
  hget: { arity: 3, run: ([key = "", field = ""], context) => bulk(fieldsOf(key, context)?.get(field) ?? null) },
  hmget: {
    arity: -3,
    run: ([key = "", ...names], context) => bulks(names.map((name) => fieldsOf(key, context)?.get(name) ?? null)),
  },
  hgetall: {
    arity: 2,
    run: ([key = ""], context) => ({
      kind: "map",
      entries: [...(fieldsOf(key, context) ?? [])].map(([f, v]) => [bulk(f), bulk(v)] as const),
    }),
  },
  hkeys: { arity: 2, run: ([key = ""], context) => bulks([...(fieldsOf(key, context)?.keys() ?? [])]) },
  hvals: { arity: 2, run: ([key = ""], context) => bulks([...(fieldsOf(key, context)?.values() ?? [])]) },
  hlen: { arity: 2, run: ([key = ""], context) => integer(fieldsOf(key, context)?.size ?? 0) },
  hexists: {
    arity: 3,
    run: ([key = "", field = ""], context) => integer(fieldsOf(key, context)?.has(field) === true ? 1 : 0),
  },
  hstrlen: {
    arity: 3,
    run: ([key = "", field = ""], context) => integer(fieldsOf(key, context)?.get(field)?.length ?? 0),
  },
  hdel: {
    arity: -3,
    writes: true,
    run([key = "", ...names], context) {
      const fields = fieldsOf(key, context);
      const removed = names.filter((name) => fields?.delete(name)).length;
      if (fields?.size === 0) context.keys.delete(key);
      else if (removed > 0) context.keys.touch(key);
      return integer(removed);
    },
  },
  hincrby: {
    arity: 4,
    writes: true,
    run([key = "", field = "", by = ""], context) {
      const old = fieldsOf(key, context)?.get(field) ?? "0";
      if (!/^-?(0|[1-9]\d*)$/.test(old)) throw new CommandError("ERR hash value is not an integer");
      const sum = BigInt(old) + readBigInteger(by);
      if (sum !== BigInt.asIntN(64, sum)) throw new CommandError("ERR increment or decrement would overflow");
      setFields("hincrby", key, [field, String(sum)], context);
      return integer(sum);
    },
  },
  hincrbyfloat: {
    arity: 4,
    writes: true,
    run([key = "", field = "", by], context) {
      const sum = readFloat(fieldsOf(key, context)?.get(field) ?? "0", "ERR hash value is not a float") + readFloat(by);
      setFields("hincrbyfloat", key, [field, formatDouble(sum)], context);
      return bulk(formatDouble(sum));
    },
  },
  hscan: {
    arity: -3,
    run: ([key = ""], context) => array([bulk("0"), bulks([...(fieldsOf(key, context) ?? [])].flat())]),
  },
};

function fieldsOf(key: string, { keys }: CommandContext): Map<string, string> | undefined {
  return keys.typed(key, "hash")?.fields;
}

/** How many fields are new. */
function setFields(name: string, key: string, pairs: readonly string[], context: CommandContext): number {
  if (pairs.length % 2 === 1) throw new CommandError(`ERR wrong number of arguments for '${name}' command`);
  let fields = fieldsOf(key, context);
  if (fields === undefined) {
    fields = new Map();
    context.keys.set(key, { type: "hash", fields });
  }
  const before = fields.size;
  for (let i = 0; i < pairs.length; i += 2) fields.set(pairs[i] ?? "", pairs[i + 1] ?? "");
  context.keys.touch(key);
  return fields.size - before;
}
