/** `argyle down`: ends every process of the instance; its state is kept. */
import { formatFlags } from "@argyle/core";
import { type Command, GLOBAL_FLAGS, readFlags } from "../command.ts";
import { EXIT } from "../exit.ts";
import { requireRunning, stopRunning } from "../instance.ts";

export const down: Command = {
  name: "down",
  summary: "stop everything, keep the state",
  usage: `argyle down [flags]\n\n${formatFlags(GLOBAL_FLAGS)}`,
  async run(argv, { instance, terminal }) {
    readFlags("down", argv, GLOBAL_FLAGS);
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
