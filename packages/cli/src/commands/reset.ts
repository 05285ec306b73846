/** `argyle reset`: stops the instance if it runs and removes its state. */
import { formatFlags, formatProblems, parseOptions } from "@argyle/core";
import { type Command, GLOBAL_FLAGS } from "../command.ts";
import { EXIT, usageError } from "../exit.ts";
import { findRunning, resetState, stopRunning } from "../instance.ts";

export const reset: Command = {
  name: "reset",
  summary: "stop everything and forget the state",
  usage: `argyle reset [flags]\n\n${formatFlags(GLOBAL_FLAGS)}`,
  async run(argv, { instance, terminal }) {
    const options = parseOptions(argv, GLOBAL_FLAGS);
    if (!options.ok) throw usageError(formatProblems(options.error));
    const supervisor = await findRunning(instance);
    if (supervisor !== undefined) {
      await stopRunning(instance, supervisor);
      supervisor.close();
    }
    resetState(instance);
    terminal.note(`instance ${instance.name} is gone: removed ${instance.stateDir}\n`);
    return EXIT.ok;
  },
};
