/** The lines that `up` prints while it works: one a phase, with its time. On a terminal the running phase is shown at once. */
import type { Terminal } from "./command.ts";

export interface Phases {
  run<T>(name: string, what: string, work: () => Promise<T>): Promise<T>;
}

export function createPhases(terminal: Terminal): Phases {
  return {
    async run(name, what, work) {
      const started = performance.now();
      const label = `${name.padEnd(8)} ${what.padEnd(44)}`;
      if (terminal.isInteractive) terminal.note(label);
      try {
        const value = await work();
        const line = `${label} ${((performance.now() - started) / 1000).toFixed(1)} s\n`;
        terminal.note(terminal.isInteractive ? `\r${line}` : line);
        return value;
      } catch (error) {
        if (terminal.isInteractive) terminal.note("\n");
        throw error;
      }
    },
  };
}
