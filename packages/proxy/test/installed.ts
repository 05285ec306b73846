/** Opt-in peers: programs that tests use where they are there. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** For node:test's `skip`: false when the program is on the PATH, else why the test is skipped. */
export function skipUnlessInstalled(program: string): string | false {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program))) ? false : `${program} is not installed`;
}
