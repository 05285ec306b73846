/**
 * The guard outlives the supervisor by a moment: a `sh` that reads `+pid` and `-pid` lines from a pipe and, when the pipe ends (the supervisor
 * is gone, however it went), kills every listed process group, then every process that still carries the run directory in its environment
 * (it left its group), and removes the run directory. If the guard dies, the supervisor starts another with the current list.
 */
import { type ChildProcess, spawn } from "node:child_process";

export interface Guard {
  add(pid: number): void;
  remove(pid: number): void;
  /** Ends the pipe, so that the guard does its work, and resolves when it has. */
  finish(): Promise<void>;
  pid(): number | undefined;
}

/** The environment variable that marks every process of a run directory. */
export const RUN_DIR_VARIABLE = "ARGYLE_RUN_DIR";

const SCRIPT = `
trap '' INT TERM HUP
pids=' '
while read -r line; do
  p=\${line#?}
  case $line in
    +*) pids="$pids$p " ;;
    -*) case $pids in *" $p "*) pids="\${pids%% $p *} \${pids#* $p }" ;; esac ;;
  esac
done
for p in $pids; do kill -KILL "-$p" 2>/dev/null; done
if [ -d /proc/self ]; then
  grep -lsz "^$2=$1\\$" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ p _; do
    if [ "$p" != "$$" ]; then kill -KILL "$p" 2>/dev/null; fi
  done
fi
rm -rf "$1"
`;

export function startGuard(runDir: string): Guard {
  const pids = new Set<number>();
  let child: ChildProcess | undefined;
  let onFinished: (() => void) | undefined;

  const write = (line: string) => child?.stdin?.write(line);
  const launch = () => {
    const next = spawn("/bin/sh", ["-c", SCRIPT, "argyle-guard", runDir, RUN_DIR_VARIABLE], {
      detached: true,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    child = next;
    // EPIPE when the guard was killed: `exit` starts the next one with the whole list.
    next.stdin?.on("error", () => undefined);
    next.on("error", () => undefined);
    next.on("exit", () => {
      if (onFinished === undefined) launch();
      else onFinished();
    });
    for (const pid of pids) write(`+${pid}\n`);
  };
  launch();
  return {
    add(pid) {
      pids.add(pid);
      write(`+${pid}\n`);
    },
    remove(pid) {
      if (pids.delete(pid)) write(`-${pid}\n`);
    },
    finish() {
      return new Promise((resolve) => {
        onFinished = resolve;
        child?.stdin?.end();
      });
    },
    pid: () => child?.pid,
  };
}
