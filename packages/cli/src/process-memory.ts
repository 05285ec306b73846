/** Memory of a process tree. Proportional set size (PSS) counts shared pages once over all processes; Linux only (smaps_rollup). */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessMemory {
  readonly pid: number;
  readonly pssBytes: number;
}

/** The process and all its descendants with their PSS; empty where the kernel does not tell (macOS). */
export function readTreeMemory(rootPid: number): readonly ProcessMemory[] {
  const children = new Map<number, number[]>();
  let pids: number[];
  try {
    pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
  for (const pid of pids) {
    const parent = parentOf(pid);
    if (parent === undefined) continue;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [pid]);
    else list.push(pid);
  }
  const tree: ProcessMemory[] = [];
  const visit = (pid: number) => {
    tree.push({ pid, pssBytes: pssOf(pid) });
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(rootPid);
  return tree;
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** 0 for a process that ended while we looked. */
function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
