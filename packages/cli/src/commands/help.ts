/** `argyle help [COMMAND]`. */
import { ARGYLE_VERSION, ENVOY_VERSION, ISTIO_VERSION, KUBERNETES_VERSION } from "@argyle/core";
import type { Command } from "../command.ts";
import { EXIT } from "../exit.ts";

export function createHelp(commands: () => readonly Command[]): Command {
  return {
    name: "help",
    summary: "explain a command",
    usage: "argyle help [COMMAND]",
    async run(argv, { terminal }) {
      const wanted = commands().find((command) => command.name === argv[0]);
      terminal.out(wanted === undefined ? overview(commands()) : `${wanted.summary}\n\nusage: ${wanted.usage}\n`);
      return EXIT.ok;
    },
  };
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

Exit codes: 0 ok, 1 failed, 2 usage, 3 not running, 4 port or lock, 130 interrupted.
argyle help COMMAND explains one.
`;
}
