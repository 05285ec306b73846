/**
 * The istio-proxy container's log in the CRI form (`time stdout F text`). Lines are gathered and written in order, 20 times a second at most;
 * the file is rotated at 10 MB, two old ones are kept.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Clock, errnoOf, rfc3339, type Timer } from "@argyle/core";

export interface ContainerLog {
  /** With or without a line end. */
  write(stream: "stdout" | "stderr", line: string): void;
  close(): void;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT = 2;
const FLUSH_MS = 50;
const FLUSH_BYTES = 64 * 1024;

export function openContainerLog(path: string, clock: Clock): ContainerLog {
  mkdirSync(dirname(path), { recursive: true });
  let fd = openSync(path, "a", 0o600);
  let size = fstatSync(fd).size;
  let pending = "";
  let timer: Timer | undefined;
  const rotate = () => {
    closeSync(fd);
    for (let i = KEPT; i > 0; i--) {
      try {
        renameSync(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
    }
    fd = openSync(path, "a", 0o600);
    size = 0;
  };
  const flush = () => {
    timer?.cancel();
    timer = undefined;
    if (pending === "") return;
    const text = pending;
    pending = "";
    size += writeSync(fd, text);
    if (size > MAX_BYTES) rotate();
  };
  return {
    write(stream, line) {
      const end = line.endsWith("\n") ? "" : "\n";
      pending += `${rfc3339(clock.now())} ${stream} F ${line}${end}`;
      if (pending.length > FLUSH_BYTES) flush();
      else timer ??= clock.after(FLUSH_MS, flush, { unref: true });
    },
    close() {
      flush();
      closeSync(fd);
    },
  };
}
