/** `argyle kubeconfig`: prints the path of the instance's kubeconfig, or its content with --raw. The user's own file is never touched. */
import { readFileSync } from "node:fs";
import { formatFlags, formatProblems, parseOptions } from "@argyle/core";
import { type Command, GLOBAL_FLAGS } from "../command.ts";
import { EXIT, usageError } from "../exit.ts";
import { requireKubeconfig } from "../instance.ts";

const FLAGS = { ...GLOBAL_FLAGS, raw: { kind: "boolean", help: "print the file instead of its path" } } as const;

export const kubeconfig: Command = {
  name: "kubeconfig",
  summary: "where the kubeconfig is: export KUBECONFIG=$(argyle kubeconfig)",
  usage: `argyle kubeconfig [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, { instance, terminal }) {
    const options = parseOptions(argv, FLAGS);
    if (!options.ok) throw usageError(formatProblems(options.error));
    requireKubeconfig(instance);
    terminal.out(
      options.value.flags.raw === true ? readFileSync(instance.kubeconfig, "utf8") : `${instance.kubeconfig}\n`,
    );
    return EXIT.ok;
  },
};
