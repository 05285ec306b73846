/** The command line: finds the command, its instance and terminal, and turns what it throws into a message and an exit code. */

import { MeshError } from "@argyle/core";
import type { Command } from "./command.ts";
import { down } from "./commands/down.ts";
import { createHelp, unknownCommand, version } from "./commands/help.ts";
import { kubeconfig } from "./commands/kubeconfig.ts";
import { kubectl } from "./commands/kubectl.ts";
import { proxyConfig } from "./commands/proxy-config.ts";
import { proxyStatus } from "./commands/proxy-status.ts";
import { reset } from "./commands/reset.ts";
import { shell } from "./commands/shell.ts";
import { status } from "./commands/status.ts";
import { up } from "./commands/up.ts";
import { EXIT, exitCodeOf, explain } from "./exit.ts";
import { locateInstance } from "./instance.ts";
import { createTerminal } from "./terminal.ts";

const help: Command = createHelp(() => COMMANDS);
const COMMANDS: readonly Command[] = [
  up,
  status,
  down,
  reset,
  shell,
  kubeconfig,
  kubectl,
  proxyStatus,
  proxyConfig,
  version,
  help,
];

const ALIASES: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
  ps: "proxy-status",
  pc: "proxy-config",
};

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(exitCodeOf(error));
  },
);

async function main(argv: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = argv;
  const terminal = createTerminal();
  const command = COMMANDS.find((c) => c.name === (ALIASES[name] ?? name));
  if (command === undefined) throw unknownCommand(name, COMMANDS);
  // kubectl has flags of its own: only what stands before its arguments is ours.
  const { instanceName, remaining } = takeInstance(rest, command === kubectl);
  if (command !== kubectl && (remaining.includes("--help") || remaining.includes("-h"))) {
    terminal.out(`${command.summary}\n\nusage: ${command.usage}\n`);
    return EXIT.ok;
  }
  const instance = locateInstance(instanceName ?? (process.env.ARGYLE_INSTANCE || "argyle"), process.env);
  return command.run(remaining, { instance, terminal, env: process.env });
}

function takeInstance(
  argv: readonly string[],
  onlyFirst: boolean,
): { readonly instanceName: string | undefined; readonly remaining: readonly string[] } {
  const at = argv.findIndex((arg) => arg === "--instance" || arg.startsWith("--instance="));
  if (at === -1 || (onlyFirst && at > 0)) return { instanceName: undefined, remaining: argv };
  const inline = argv[at]?.startsWith("--instance=") ? argv[at]?.slice("--instance=".length) : undefined;
  const value = inline ?? argv[at + 1];
  if (value === undefined) throw new MeshError("--instance needs a name", { code: "usage.instance-name" });
  return { instanceName: value, remaining: argv.toSpliced(at, inline === undefined ? 2 : 1) };
}
