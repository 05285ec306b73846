/** `argyle help [COMMAND]`. */
import { ARGYLE_VERSION, ENVOY_VERSION, ISTIO_VERSION, KUBERNETES_VERSION, MeshError } from "@argyle/core";
import type { Command } from "../command.ts";
import { EXIT } from "../exit.ts";

export function createHelp(commands: () => readonly Command[]): Command {
  return {
    name: "help",
    summary: "explain a command",
    usage: "argyle help [COMMAND]",
    async run([name], { terminal }) {
      const wanted = commands().find((command) => command.name === name);
      if (wanted === undefined && name !== undefined) throw unknownCommand(name, commands());
      terminal.out(wanted === undefined ? overview(commands()) : `${wanted.summary}\n\nusage: ${wanted.usage}\n`);
      return EXIT.ok;
    },
  };
}

export function unknownCommand(name: string, commands: readonly Command[]): MeshError {
  return new MeshError(`"${name}" is not a command`, {
    code: "usage.command",
    advice: `commands: ${commands.map((command) => command.name).join(", ")}`,
  });
}

export const version: Command = {
  name: "version",
  summary: "versions of Argyle and of what it stands for",
  usage: "argyle version",
  async run(_argv, { terminal }) {
    terminal.out(
      `argyle ${ARGYLE_VERSION}\nkubernetes ${KUBERNETES_VERSION.gitVersion}\nistio ${ISTIO_VERSION}\nenvoy ${ENVOY_VERSION}\nnode ${process.version}\n`,
    );
    return EXIT.ok;
  },
};

function overview(commands: readonly Command[]): string {
  const rows = commands.map((command) => `  ${command.name.padEnd(14)} ${command.summary}`);
  return `A service mesh with its demo, on one machine.

usage: argyle COMMAND [--instance NAME] [flags]

${rows.join("\n")}

Exit codes: 0 ok, 1 failed, 2 usage, 3 not running, 4 a port or the instance is taken, 130 interrupted during the start.
argyle help COMMAND explains one. State is in $ARGYLE_STATE_DIR (default ~/.local/state/argyle), one directory for each instance.
`;
}
