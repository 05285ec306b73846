/** The command line: finds the command, its instance and terminal, and turns what it throws into a message and an exit code. */

import { MeshError } from "@argyle/core";
import type { Command } from "./command.ts";
import { down } from "./commands/down.ts";
import { createHelp, version } from "./commands/help.ts";
import { kubeconfig } from "./commands/kubeconfig.ts";
import { kubectl } from "./commands/kubectl.ts";
import { proxyStatus } from "./commands/proxy-status.ts";
import { reset } from "./commands/reset.ts";
import { shell } from "./commands/shell.ts";
import { status } from "./commands/status.ts";
import { up } from "./commands/up.ts";
import { EXIT, exitCodeOf, explain } from "./exit.ts";
import { locateInstance } from "./instance.ts";
import { createTerminal } from "./terminal.ts";

const help: Command = createHelp(() => COMMANDS);
const COMMANDS: readonly Command[] = [up, status, down, reset, shell, kubeconfig, kubectl, proxyStatus, version, help];

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
  const command = COMMANDS.find((c) => c.name === name) ?? (name === "--help" || name === "-h" ? help : undefined);
  if (command === undefined) {
    throw new MeshError(`"${name}" is not a command`, {
      code: "usage.command",
      advice: `commands: ${COMMANDS.map((c) => c.name).join(", ")}`,
    });
  }
  // kubectl has flags of its own: only what stands before its arguments is ours.
  const { instanceName, remaining } = takeInstance(rest);
  if (command !== kubectl && (remaining.includes("--help") || remaining.includes("-h"))) {
    terminal.out(`${command.summary}\n\nusage: ${command.usage}\n`);
    return EXIT.ok;
  }
  const instance = locateInstance(instanceName ?? process.env.ARGYLE_INSTANCE ?? "argyle", process.env);
  return command.run(remaining, { instance, terminal, env: process.env });
}

function takeInstance(argv: readonly string[]): {
  readonly instanceName: string | undefined;
  readonly remaining: readonly string[];
} {
  const at = argv.findIndex((arg) => arg === "--instance" || arg.startsWith("--instance="));
  if (at === -1) return { instanceName: undefined, remaining: argv };
  const inline = argv[at]?.split("=")[1];
  const value = inline ?? argv[at + 1];
  if (value === undefined) throw new MeshError("--instance needs a name", { code: "usage.instance-name" });
  return { instanceName: value, remaining: argv.toSpliced(at, inline === undefined ? 2 : 1) };
}
