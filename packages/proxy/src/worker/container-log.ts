/**
 * The istio-proxy container's log in the CRI form (`time stdout F text`). Lines are gathered and written in order, 20 times a second at most;
 * the file is rotated at 10 MB, two old ones are kept. Lines that cannot be written are lost, and said to be; the worker and its other proxies go on.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Clock, errnoOf, rfc3339, type Timer } from "@argyle/core";

export interface ContainerLog {
  /** With or without a line end. After close() there is no container whose log it could be: what late connections still say is dropped. */
  write(stream: "stdout" | "stderr", line: string): void;
  close(): void;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT = 2;
const FLUSH_MS = 50;
const FLUSH_BYTES = 64 * 1024;

/** `onLost`: a disk that is full, for one; once until it is written again. */
export function openContainerLog(path: string, clock: Clock, onLost: (error: unknown) => void): ContainerLog {
  mkdirSync(dirname(path), { recursive: true });
  let fd = openSync(path, "a", 0o600);
  let size = fstatSync(fd).size;
  let pending = "";
  let timer: Timer | undefined;
  let isClosed = false;
  let isLosing = false;
  const rotate = () => {
    for (let i = KEPT; i > 0; i--) {
      try {
        renameSync(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
    }
    const next = openSync(path, "a", 0o600);
    closeSync(fd);
    fd = next;
    size = 0;
  };
  const flush = () => {
    timer?.cancel();
    timer = undefined;
    if (pending === "") return;
    const text = pending;
    pending = "";
    try {
      size += writeSync(fd, text);
      if (size > MAX_BYTES) rotate();
      isLosing = false;
    } catch (error) {
      if (!isLosing) onLost(error);
      isLosing = true;
    }
  };
  return {
    write(stream, line) {
      if (isClosed) return;
      const end = line.endsWith("\n") ? "" : "\n";
      pending += `${rfc3339(clock.now())} ${stream} F ${line}${end}`;
      if (pending.length > FLUSH_BYTES) flush();
      else timer ??= clock.after(FLUSH_MS, flush, { unref: true });
    },
    close() {
      if (isClosed) return;
      flush();
      isClosed = true;
      closeSync(fd);
    },
  };
}
