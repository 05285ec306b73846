/** Linux: /proc/<pid>/stat and status. The only file of the kubelet that reads /proc. See proc(5); clock ticks are 100 a second on every Linux we know. */
import { readdirSync, readFileSync } from "node:fs";
import type { ProcessTable, ProcessUsage } from "./process-table.ts";

const TICKS_PER_SECOND = 100;

export function readProcessesLinux(): ProcessTable {
  const processes: ProcessUsage[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = read(`/proc/${name}/stat`);
    if (text === undefined) continue;
    // After the command name in parentheses: state ppid pgrp session … utime is field 14, stime 15.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    processes.push({
      pid: Number(name),
      parent: Number(fields[1]),
      session: Number(fields[3]),
      cpuSeconds: ticks / TICKS_PER_SECOND,
    });
  }
  return {
    processes,
    memoryBytes(pid) {
      const text = read(`/proc/${pid}/status`) ?? "";
      const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
      return (kilobytes("RssAnon") + kilobytes("RssShmem")) * 1024;
    },
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // it has ended meanwhile
  }
}
