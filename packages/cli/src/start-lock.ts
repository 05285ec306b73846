/** One start of an instance at a time: a file with the pid of its holder. A lock whose process is gone is taken over. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, MeshError } from "@argyle/core";

export const START_LOCK = "start.lock";

/** Returns the release; throws `instance.locked` when another start holds it. */
export function takeStartLock(instance: { readonly name: string; readonly stateDir: string }): () => void {
  makeDirectory(instance.stateDir);
  const path = join(instance.stateDir, START_LOCK);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const holder = Number(readFileSync(path, "utf8"));
    if (attempt === 0 && !isAlive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    throw new MeshError(`another start of instance ${instance.name} is under way (process ${holder})`, {
      code: "instance.locked",
      advice: "wait for it, or end it and try again",
    });
  }
}

/** Node reports ENOENT for a directory that can't be made on a read-only file system; what stands in the way is asked again. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    let existing = path;
    while (!existsSync(existing)) existing = dirname(existing);
    accessSync(existing, constants.W_OK);
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
