/** `argyle reset`: stops the instance if it runs and removes its state. */
import { existsSync, rmSync } from "node:fs";
import { formatFlags } from "@argyle/core";
import { type Command, GLOBAL_FLAGS, readFlags } from "../command.ts";
import { EXIT } from "../exit.ts";
import { explainStateError, findRunning, resetState, stopRunning } from "../instance.ts";
import { takeStartLock } from "../start-lock.ts";

export const reset: Command = {
  name: "reset",
  summary: "stop everything and forget the state",
  usage: `argyle reset [flags]\n\n${formatFlags(GLOBAL_FLAGS)}`,
  async run(argv, { instance, terminal }) {
    readFlags("reset", argv, GLOBAL_FLAGS);
    if (!existsSync(instance.stateDir)) {
      terminal.note(`instance ${instance.name} has no state: there is no ${instance.stateDir}\n`);
      return EXIT.ok;
    }
    try {
      takeStartLock(instance);
      const supervisor = await findRunning(instance);
      if (supervisor !== undefined) {
        await stopRunning(instance, supervisor);
        supervisor.close();
      }
      resetState(instance);
      rmSync(instance.stateDir, { recursive: true, force: true });
    } catch (error) {
      throw explainStateError(error, instance);
    }
    terminal.note(`instance ${instance.name} is gone: removed ${instance.stateDir}\n`);
    return EXIT.ok;
  },
};
