/**
 * One command of one session: finds it, counts its arguments, and knows what MULTI, EXEC, DISCARD and WATCH mean.
 * Single-threaded as Redis is: nothing else runs between two commands of a transaction.
 */
import { type CommandContext, CommandError, type CommandSpec, type CommandTable, type Session } from "./command.ts";
import { LIST_COMMANDS, SET_COMMANDS, SORTED_SET_COMMANDS } from "./commands/collections.ts";
import { CONNECTION_COMMANDS, isSubscribed } from "./commands/connection.ts";
import { GENERIC_COMMANDS } from "./commands/generic.ts";
import { HASH_COMMANDS } from "./commands/hashes.ts";
import { STRING_COMMANDS } from "./commands/strings.ts";
import { WrongTypeError } from "./keyspace.ts";
import { array, failure, OK, type Reply } from "./resp.ts";

export const COMMANDS: CommandTable = {
  ...STRING_COMMANDS,
  ...GENERIC_COMMANDS,
  ...HASH_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...CONNECTION_COMMANDS,
};

const TRANSACTION_COMMANDS: Readonly<Record<string, number>> = { multi: 1, exec: 1, discard: 1, watch: -2, unwatch: 1 };
const ALLOWED_WHILE_SUBSCRIBED = new Set([
  "subscribe",
  "unsubscribe",
  "psubscribe",
  "punsubscribe",
  "ping",
  "quit",
  "reset",
]);

/** `onWrite` is told every command that changed data, in order, as it must be repeated to get the same data. */
export function execute(
  argv: readonly string[],
  context: CommandContext,
  onWrite: (argv: readonly string[]) => void,
): Reply {
  const { session } = context;
  const [word = "", ...args] = argv;
  const name = word.toLowerCase();
  const spec = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const arity = spec?.arity ?? TRANSACTION_COMMANDS[name];
  if (arity === undefined) {
    if (session.queue !== undefined) session.isQueueBroken = true;
    return failure(
      `ERR unknown command '${clip(word)}', with args beginning with: ${args.map((arg) => `'${clip(arg)}' `).join("")}`,
    );
  }
  if (arity > 0 ? argv.length !== arity : argv.length < -arity) {
    if (session.queue !== undefined) session.isQueueBroken = true;
    return failure(`ERR wrong number of arguments for '${name}' command`);
  }
  if (session.protocol === 2 && isSubscribed(session) && !ALLOWED_WHILE_SUBSCRIBED.has(name)) {
    return failure(
      `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  if (spec === undefined) return transaction(name, args, context, onWrite);
  if (session.queue !== undefined && name !== "quit" && name !== "reset") {
    session.queue.push(argv);
    return { kind: "simple", text: "QUEUED" };
  }
  return runOne(spec, argv, context, onWrite);
}

function runOne(
  spec: CommandSpec,
  argv: readonly string[],
  context: CommandContext,
  onWrite: (argv: readonly string[]) => void,
): Reply {
  try {
    const reply = spec.run(argv.slice(1), context);
    if (spec.writes === true && reply.kind !== "error") onWrite(argv);
    return reply;
  } catch (error) {
    if (error instanceof CommandError) return failure(error.message);
    if (error instanceof WrongTypeError)
      return failure("WRONGTYPE Operation against a key holding the wrong kind of value");
    throw error;
  }
}

function transaction(
  name: string,
  args: readonly string[],
  context: CommandContext,
  onWrite: (argv: readonly string[]) => void,
): Reply {
  const { session } = context;
  switch (name) {
    case "multi":
      if (session.queue !== undefined) return failure("ERR MULTI calls can not be nested");
      session.queue = [];
      session.isQueueBroken = false;
      return OK;
    case "discard":
      if (session.queue === undefined) return failure("ERR DISCARD without MULTI");
      endTransaction(session);
      return OK;
    case "watch":
      if (session.queue !== undefined) return failure("ERR WATCH inside MULTI is not allowed");
      for (const key of args) session.watched.set(key, versionNow(key, context));
      return OK;
    case "unwatch":
      session.watched.clear();
      return OK;
    default: {
      const queue = session.queue;
      if (queue === undefined) return failure("ERR EXEC without MULTI");
      const isStale = [...session.watched].some(([key]) => versionNow(key, context) !== session.watched.get(key));
      const isBroken = session.isQueueBroken;
      endTransaction(session);
      if (isBroken) return failure("EXECABORT Transaction discarded because of previous errors.");
      if (isStale) return array(null);
      return array(queue.map((argv) => execute(argv, context, onWrite)));
    }
  }
}

/** Reading first makes an expiry that is due count as the change that it is. */
function versionNow(key: string, { keys }: CommandContext): number {
  keys.get(key);
  return keys.version(key);
}

function endTransaction(session: Session): void {
  session.queue = undefined;
  session.isQueueBroken = false;
  session.watched.clear();
}

function clip(text: string): string {
  return text.slice(0, 128);
}
