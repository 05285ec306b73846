/** When a process was started, as an opaque text: the only thing that tells a process from a later one with the same pid. */
import { readStartTimeDarwin } from "./process-identity-darwin.ts";
import { readStartTimeLinux } from "./process-identity-linux.ts";

/** Undefined when there is no such process. */
export function readStartTime(pid: number): string | undefined {
  return process.platform === "linux" ? readStartTimeLinux(pid) : readStartTimeDarwin(pid);
}
