/** macOS: `ps -o lstart`, whole seconds. Not run on this project's machines; a pid reused within one second is not told apart. */
import { spawnSync } from "node:child_process";

export function readStartTimeDarwin(pid: number): string | undefined {
  const text = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout?.trim();
  return text === undefined || text === "" ? undefined : text;
}
