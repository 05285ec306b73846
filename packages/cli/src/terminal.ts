/** Results go to stdout, everything else to stderr; a reader that goes away (`| head`) ends us quietly. */
import type { Terminal } from "./command.ts";

export function createTerminal(): Terminal {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    if (error.code !== "EIO") throw error;
  });
  // A terminal that was closed: `up` still has to stop what it started, though nobody reads what it says.
  process.stderr.on("error", () => undefined);
  return {
    out: (text) => void process.stdout.write(text),
    note: (text) => void process.stderr.write(text),
    isInteractive: process.stderr.isTTY === true,
  };
}
