/**
 * As whom PostgreSQL runs: it refuses uid 0. Not root: directly. Root on Linux: in a user namespace in which we are `nobody`, so files stay ours and a
 * 0700 home does not matter. Where that is not permitted: as the account nobody itself, which needs directories that it can reach.
 */
import { spawnSync } from "node:child_process";

export interface Identity {
  /** Put before the program. */
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const NOBODY = 65534;
const UNSHARE = ["unshare", "-U", `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];

export function chooseIdentity(): Identity {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const [file = "", ...args] = UNSHARE;
  const isPermitted = process.platform === "linux" && spawnSync(file, [...args, "true"]).status === 0;
  return isPermitted ? { prefix: UNSHARE } : { prefix: [], uid: NOBODY, gid: NOBODY };
}
