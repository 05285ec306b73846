/** macOS: `ps`. RSS includes shared pages, so figures are higher than on Linux. Not run on this project's machines. */
import { spawnSync } from "node:child_process";
import type { ProcessTable, ProcessUsage } from "./process-table.ts";

export function readProcessesDarwin(): ProcessTable {
  const text = spawnSync("ps", ["-axo", "pid=,ppid=,sess=,rss=,time="], { encoding: "utf8" }).stdout ?? "";
  const memory = new Map<number, number>();
  const processes: ProcessUsage[] = [];
  for (const line of text.split("\n")) {
    const [pid, parent, , rss, time] = line.trim().split(/\s+/);
    if (pid === undefined || time === undefined) continue;
    memory.set(Number(pid), Number(rss) * 1024);
    // The session column is a kernel address here: the tree alone decides.
    processes.push({ pid: Number(pid), parent: Number(parent), session: 0, cpuSeconds: parseTime(time) });
  }
  return { processes, memoryBytes: (pid) => memory.get(pid) ?? 0 };
}

/** `1:02.03` or `01:02:03`. */
function parseTime(text: string): number {
  return text.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}
