/** `argyle kubeconfig`: prints the path of the instance's kubeconfig, or its content with --raw. The user's own file is never touched. */
import { readFileSync } from "node:fs";
import { formatFlags } from "@argyle/core";
import { type Command, GLOBAL_FLAGS, readFlags } from "../command.ts";
import { EXIT } from "../exit.ts";
import { requireKubeconfig } from "../instance.ts";

const FLAGS = { ...GLOBAL_FLAGS, raw: { kind: "boolean", help: "print the file instead of its path" } } as const;

export const kubeconfig: Command = {
  name: "kubeconfig",
  summary: 'where the kubeconfig is: export KUBECONFIG="$(argyle kubeconfig)"',
  usage: `argyle kubeconfig [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, { instance, terminal }) {
    const flags = readFlags("kubeconfig", argv, FLAGS);
    requireKubeconfig(instance);
    terminal.out(flags.raw === true ? readFileSync(instance.kubeconfig, "utf8") : `${instance.kubeconfig}\n`);
    return EXIT.ok;
  },
};
