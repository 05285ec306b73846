/** Resident memory and processor time of processes while something runs. Linux only. */
import { readFileSync } from "node:fs";

export interface MemoryWatch {
  /** MB, by process: at the start, and the most seen. */
  stop(): readonly { readonly atStart: number; readonly peak: number }[];
}

const EVERY_MS = 50;

export function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** User and system time so far: of a clock that ticks a hundred times a second. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function watchMemory(pids: readonly number[]): MemoryWatch {
  const atStart = pids.map(residentMegabytes);
  const peaks = [...atStart];
  const timer = setInterval(() => {
    for (const [i, pid] of pids.entries()) peaks[i] = Math.max(peaks[i] ?? 0, residentMegabytes(pid));
  }, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return atStart.map((start, i) => ({ atStart: start, peak: peaks[i] ?? 0 }));
    },
  };
}
