/** `argyle down`: ends every process of the instance; its state is kept. */
import { formatFlags, formatProblems, parseOptions } from "@argyle/core";
import { type Command, GLOBAL_FLAGS } from "../command.ts";
import { EXIT, usageError } from "../exit.ts";
import { requireRunning, stopRunning } from "../instance.ts";

export const down: Command = {
  name: "down",
  summary: "stop everything, keep the state",
  usage: `argyle down [flags]\n\n${formatFlags(GLOBAL_FLAGS)}`,
  async run(argv, { instance, terminal }) {
    const options = parseOptions(argv, GLOBAL_FLAGS);
    if (!options.ok) throw usageError(formatProblems(options.error));
    const supervisor = await requireRunning(instance);
    try {
      await stopRunning(instance, supervisor);
    } finally {
      supervisor.close();
    }
    terminal.note(
      `instance ${instance.name} is stopped; its state is kept in ${instance.stateDir} (argyle reset removes it)\n`,
    );
    return EXIT.ok;
  },
};
