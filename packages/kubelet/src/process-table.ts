/** What every process on the host uses, in one reading: the per-platform files know where it stands. */
import { readProcessesDarwin } from "./process-table-darwin.ts";
import { readProcessesLinux } from "./process-table-linux.ts";

export interface ProcessUsage {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly cpuSeconds: number;
}

export interface ProcessTable {
  readonly processes: readonly ProcessUsage[];
  /** RssAnon + RssShmem: what the process itself made; shared program text is not counted. */
  memoryBytes(pid: number): number;
}

export interface TreeUsage {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export function readProcessTable(): ProcessTable {
  return process.platform === "linux" ? readProcessesLinux() : readProcessesDarwin();
}

/** A process with all its descendants, and whatever stayed in its session. */
export function treeUsage(table: ProcessTable, root: number): TreeUsage {
  const members = new Set<number>([root]);
  for (let size = 0; size !== members.size; ) {
    size = members.size;
    for (const { pid, parent, session } of table.processes) {
      if (members.has(parent) || session === root) members.add(pid);
    }
  }
  let cpuSeconds = 0;
  let memoryBytes = 0;
  for (const usage of table.processes) {
    if (!members.has(usage.pid)) continue;
    cpuSeconds += usage.cpuSeconds;
    memoryBytes += table.memoryBytes(usage.pid);
  }
  return { cpuSeconds, memoryBytes };
}
