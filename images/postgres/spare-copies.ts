/**
 * Copies of the template made in advance, beside it in the cache: a container that needs a data directory takes one by rename, and makes another
 * when the start is long over. Nothing depends on them: without one, or on another file system, the template is copied on the spot.
 */
import { spawn } from "node:child_process";
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** As many as the Sock Shop has stores. */
const MAX_SPARES = 4;
/** A copy that was not finished within this was cut short. */
const ABANDONED_MS = 10 * 60_000;

/** `<cache>/spare-of-template-18`: the copies are this with a suffix. */
export function spareName(template: string): string {
  return join(dirname(template), `spare-of-${basename(template)}`);
}

/** True when `dir` is such a copy now. */
export function takeSpare(name: string, dir: string): boolean {
  for (const spare of copiesOf(name).finished) {
    try {
      renameSync(spare, dir);
      return true;
    } catch {
      // Another container was faster, or it is another file system: the caller copies.
    }
  }
  return false;
}

/** Makes one with the least priority, unless there are enough. Resolves when it is there, or could not be made: then the next start copies. */
export function makeSpare(template: string): Promise<void> {
  const name = spareName(template);
  const { finished, unfinished } = copiesOf(name);
  for (const path of unfinished) {
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0);
    if (age > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
  if (finished.length + unfinished.length >= MAX_SPARES) return Promise.resolve();
  const spare = `${name}.${process.pid}-${Date.now().toString(36)}`;
  const copying = `${spare}.part`;
  return new Promise((resolve) => {
    const copy = spawn("nice", ["-n", "19", "cp", "-a", template, copying], { stdio: "ignore" });
    copy.on("error", () => resolve());
    copy.on("exit", (code) => {
      if (code === 0) renameSync(copying, spare);
      else rmSync(copying, { recursive: true, force: true });
      resolve();
    });
  });
}

function copiesOf(name: string): { readonly finished: readonly string[]; readonly unfinished: readonly string[] } {
  const all = readdirSync(dirname(name))
    .filter((entry) => entry.startsWith(`${basename(name)}.`))
    .map((entry) => join(dirname(name), entry));
  return {
    finished: all.filter((path) => !path.endsWith(".part")),
    unfinished: all.filter((path) => path.endsWith(".part")),
  };
}
