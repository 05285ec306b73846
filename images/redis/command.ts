/** What a command is and what it may see. A command takes its arguments (without its name) and answers with a Reply; it does no I/O. */
import type { Keyspace } from "./keyspace.ts";
import type { Protocol, Reply } from "./resp.ts";

export interface Session {
  readonly id: number;
  protocol: Protocol;
  name: string;
  readonly channels: Set<string>;
  readonly patterns: Set<string>;
  /** Commands queued since MULTI. */
  queue: (readonly string[])[] | undefined;
  /** A queued command was refused: EXEC aborts. */
  isQueueBroken: boolean;
  /** Key to the version it had at WATCH. */
  readonly watched: Map<string, number>;
  shouldClose: boolean;
}

export interface ServerFacts {
  readonly startedAtMs: number;
  readonly port: number;
  commandsProcessed: number;
  connectionsReceived: number;
  clients(): readonly Session[];
  publish(channel: string, message: string): number;
  /** Writes the data set to disk now; false when there is nowhere to write. */
  save(): boolean;
  readonly config: Map<string, string>;
}

export interface CommandContext {
  readonly keys: Keyspace;
  readonly session: Session;
  readonly server: ServerFacts;
}

export interface CommandSpec {
  /** As Redis counts: the name included; negative means at least. */
  readonly arity: number;
  /** Changes data: goes to the append-only file. */
  readonly writes?: boolean;
  run(args: readonly string[], context: CommandContext): Reply;
}

export type CommandTable = Readonly<Record<string, CommandSpec>>;

/** Ends a command with an error reply. */
export class CommandError extends Error {}

export const SYNTAX_ERROR = "ERR syntax error";
export const NOT_AN_INTEGER = "ERR value is not an integer or out of range";

export function readInteger(text: string | undefined, message = NOT_AN_INTEGER): number {
  if (text === undefined || !/^-?(0|[1-9]\d*)$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new CommandError(message);
  return Number(text);
}

/** 64-bit, as INCR counts. */
export function readBigInteger(text: string): bigint {
  if (!/^-?(0|[1-9]\d*)$/.test(text) || text.length > 20) throw new CommandError(NOT_AN_INTEGER);
  const value = BigInt(text);
  if (value !== BigInt.asIntN(64, value)) throw new CommandError(NOT_AN_INTEGER);
  return value;
}

export function readFloat(text: string | undefined, message = "ERR value is not a valid float"): number {
  const value =
    text === undefined || text.trim() !== text || text === ""
      ? Number.NaN
      : /^[+-]?inf(inity)?$/i.test(text)
        ? text.startsWith("-")
          ? -Infinity
          : Infinity
        : Number(text);
  if (Number.isNaN(value)) throw new CommandError(message);
  return value;
}

/** Redis' glob: `*`, `?`, `[a-c]`, `[^x]`, `\` escapes. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (pattern === "*") return () => true;
  const source = pattern.replace(
    /\\(.)|\[(\^?)((?:\\.|[^\]])*)\]|[*?]|[.+^${}()|/[\]\\]/gs,
    (token, escaped?: string, negated?: string, set?: string) => {
      if (escaped !== undefined) return escaped.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
      if (set !== undefined) return set === "" ? "(?!)" : `[${negated ?? ""}${set.replace(/[\]^[]/g, "\\$&")}]`;
      if (token === "*") return "[\\s\\S]*";
      if (token === "?") return "[\\s\\S]";
      return `\\${token}`;
    },
  );
  const regex = new RegExp(`^${source}$`);
  return (text) => regex.test(text);
}
