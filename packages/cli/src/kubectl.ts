/** Finds the user's kubectl: $KUBECTL, the PATH, or what was fetched into the cache. Ours is never required. */
import { accessSync, constants, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export function findKubectl(env: NodeJS.ProcessEnv): string | undefined {
  if (env.KUBECTL !== undefined && env.KUBECTL !== "") return env.KUBECTL;
  const onPath = (env.PATH ?? "").split(delimiter).map((dir) => join(dir, "kubectl"));
  const cache = join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), ".cache"), "argyle/kubectl");
  return [...onPath, ...cached(cache)].find(isExecutable);
}

/** Newest first. */
function cached(cache: string): readonly string[] {
  try {
    return readdirSync(cache)
      .sort()
      .reverse()
      .map((version) => join(cache, version, "kubectl"));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
