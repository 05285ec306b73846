/** What every command of the CLI gets and gives. A command returns its exit code, or throws what exit.ts explains. */
import { type FlagSpecs, MeshError, type ParsedOptions, type Problem, parseOptions } from "@argyle/core";
import type { Instance } from "./instance.ts";

export const GLOBAL_FLAGS = {
  instance: { kind: "string", help: "name of the instance (default argyle)" },
  help: { kind: "boolean", alias: "h", help: "explain the command" },
} as const;

export const OUTPUT_FLAG = {
  output: { kind: "string", alias: "o", oneOf: ["text", "json"], help: "form of the output" },
} as const;

export interface Terminal {
  /** Results: what the command was asked for. */
  out(text: string): void;
  /** Progress, warnings and everything else that is not the result. */
  note(text: string): void;
  readonly isInteractive: boolean;
}

export interface CommandContext {
  readonly instance: Instance;
  readonly terminal: Terminal;
  readonly env: NodeJS.ProcessEnv;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  run(argv: readonly string[], context: CommandContext): Promise<number>;
}

/** The flags of a command that takes no arguments; throws a usage error that names every problem. */
export function readFlags<const S extends FlagSpecs>(
  command: string,
  argv: readonly string[],
  specs: S,
): ParsedOptions<S>["flags"] {
  const options = parseOptions(argv, specs);
  if (!options.ok) throw usageError(command, options.error);
  const unexpected = [...options.value.positionals, ...options.value.rest];
  if (unexpected.length > 0) {
    throw usageError(
      command,
      unexpected.map((text) => ({ path: text, message: "unexpected argument" })),
    );
  }
  return options.value.flags;
}

/** One problem a line. */
export function usageError(command: string, problems: readonly Problem[]): MeshError {
  const lines = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return new MeshError(lines.join("\n        "), { code: "usage.arguments", advice: `see: ./argyle help ${command}` });
}
