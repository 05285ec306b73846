/** Cluster DNS on disk: one file a name, replaced by rename, so that a reader sees the old or the new text and never half of one. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface DnsFiles {
  write(file: string, text: string): void;
  remove(file: string): void;
  /** Removes every file that is not in `wanted`: leftovers of an earlier run. */
  retain(wanted: ReadonlySet<string>): void;
}

/** Begins with a dot, which no DNS name does. */
const TEMPORARY = ".next";

export function createDnsFiles(directory: string): DnsFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    write(file, text) {
      if (readIfThere(join(directory, file)) === text) return;
      writeFileSync(join(directory, TEMPORARY), text);
      renameSync(join(directory, TEMPORARY), join(directory, file));
    },
    remove: (file) => rmSync(join(directory, file), { force: true }),
    retain(wanted) {
      for (const file of readdirSync(directory)) if (!wanted.has(file)) rmSync(join(directory, file), { force: true });
    },
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
