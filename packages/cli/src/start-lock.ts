/** One start of an instance at a time: a file with the pid of its holder. A lock whose process is gone is taken over. */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, MeshError } from "@argyle/core";

export const START_LOCK = "start.lock";

/** Returns the release; throws `instance.locked` when another start holds it. */
export function takeStartLock(instance: { readonly name: string; readonly stateDir: string }): () => void {
  makeDirectory(instance.stateDir);
  const path = join(instance.stateDir, START_LOCK);
  // Linked, not written, to its place: whoever finds the lock must find its holder in it.
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    for (let attempt = 0; ; attempt++) {
      if (isPlaced(own, path)) return () => rmSync(path, { force: true });
      const holder = holderOf(path);
      if (attempt > 0 || isAlive(holder)) throw isLocked(instance.name, holder);
      removeStale(path, `${own}.stale`);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function isPlaced(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Two that find the same stale lock: the slower one must not remove what the faster one has put there meanwhile. */
function removeStale(path: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (isAlive(holderOf(aside))) isPlaced(aside, path);
  rmSync(aside, { force: true });
}

/** NaN when there is none any more. */
function holderOf(path: string): number {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Number.NaN;
    throw error;
  }
}

function isLocked(name: string, holder: number): MeshError {
  const who = Number.isNaN(holder) ? "" : ` (process ${holder})`;
  return new MeshError(`another start of instance ${name} is under way${who}`, {
    code: "instance.locked",
    advice: "wait for it, or end it and try again",
  });
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
