/**
 * Command-line flags to a typed object, for every process and the CLI. All problems are returned at once.
 * Forms: `--name value`, `--name=value`, `-n value` for an alias, `--flag` and `--no-flag` for booleans, `--` ends flags.
 */
import { err, ok, type Problem, type Result } from "./result.ts";

export interface FlagSpec {
  readonly kind: "string" | "number" | "boolean" | "list";
  readonly alias?: string;
  readonly help: string;
  /** Closed set of values, for strings. */
  readonly oneOf?: readonly string[];
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

type FlagValue<S extends FlagSpec> = S["kind"] extends "string"
  ? string
  : S["kind"] extends "number"
    ? number
    : S["kind"] extends "boolean"
      ? boolean
      : readonly string[];

export interface ParsedOptions<S extends FlagSpecs> {
  readonly flags: { readonly [K in keyof S]?: FlagValue<S[K]> };
  readonly positionals: readonly string[];
  /** What stood after `--`. */
  readonly rest: readonly string[];
}

export function parseOptions<const S extends FlagSpecs>(argv: readonly string[], specs: S): Result<ParsedOptions<S>> {
  const problems: Problem[] = [];
  const flags: Record<string, string | number | boolean | string[]> = {};
  const positionals: string[] = [];
  let rest: readonly string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? "";
    if (arg === "--") {
      rest = argv.slice(i + 1);
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      positionals.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const given = equals === -1 ? arg : arg.slice(0, equals);
    const found = findFlag(given, specs);
    if (found === undefined) {
      problems.push({ path: given, message: `unknown flag${suggest(given, specs)}` });
      continue;
    }
    const { name, spec, negated } = found;
    if (spec.kind === "boolean") {
      const text = equals === -1 ? "true" : arg.slice(equals + 1);
      if (text !== "true" && text !== "false")
        problems.push({ path: given, message: `must be true or false, not "${text}"` });
      flags[name] = (text === "true") !== negated;
      continue;
    }
    const next = equals === -1 ? argv[++i] : arg.slice(equals + 1);
    if (next === undefined) {
      problems.push({ path: given, message: "needs a value" });
      continue;
    }
    if (spec.kind === "number") {
      if (next.trim() === "" || !Number.isFinite(Number(next)))
        problems.push({ path: given, message: `must be a number, not "${next}"` });
      flags[name] = Number(next);
    } else if (spec.oneOf !== undefined && !spec.oneOf.includes(next)) {
      problems.push({ path: given, message: `must be one of ${spec.oneOf.join(", ")}, not "${next}"` });
    } else if (spec.kind === "list") {
      const list = flags[name];
      if (Array.isArray(list)) list.push(next);
      else flags[name] = [next];
    } else flags[name] = next;
  }
  if (problems.length > 0) return err(problems);
  return ok({ flags: flags as ParsedOptions<S>["flags"], positionals, rest });
}

/** One aligned line a flag, for `--help`. */
export function formatFlags(specs: FlagSpecs): string {
  const rows = Object.entries(specs).map(([name, spec]) => {
    const alias = spec.alias === undefined ? "" : `-${spec.alias}, `;
    const value = spec.kind === "boolean" ? "" : ` ${spec.oneOf?.join("|") ?? spec.kind.toUpperCase()}`;
    return [`  ${alias}--${name}${value}`, spec.help] as const;
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, help]) => `${left.padEnd(width)}  ${help}`).join("\n");
}

function findFlag(given: string, specs: FlagSpecs): { name: string; spec: FlagSpec; negated: boolean } | undefined {
  for (const [name, spec] of Object.entries(specs)) {
    if (given === `--${name}` || (spec.alias !== undefined && given === `-${spec.alias}`))
      return { name, spec, negated: false };
    if (spec.kind === "boolean" && given === `--no-${name}`) return { name, spec, negated: true };
  }
  return undefined;
}

function suggest(given: string, specs: FlagSpecs): string {
  const wanted = given.replace(/^-+/, "");
  const near = Object.keys(specs).find((name) => name.startsWith(wanted.slice(0, 3)) && wanted.length >= 3);
  return near === undefined ? "" : `; did you mean --${near}?`;
}
