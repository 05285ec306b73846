/**
 * Access log files of a proxy that runs alone: lines are gathered and written together, as Envoy's file access log does
 * (https://www.envoyproxy.io/docs/envoy/v1.36.0/operations/cli#cmdoption-file-flush-interval-msec), at most 100 ms late.
 * Files are opened for appending at their first line; close() writes what is left.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Clock, Timer } from "@argyle/core";

export interface LogSink {
  /** One line with its end; `/dev/stdout` and `/dev/stderr` go to `standard`. After close() lines are dropped. */
  write(path: string, line: string): void;
  close(): void;
}

interface Target {
  /** Bytes, not text: a line kept as text is kept as all the pieces that it was joined from. */
  readonly pending: Buffer;
  length: number;
  put(bytes: Buffer): void;
  close(): void;
}

const FLUSH_MS = 100;
const PENDING_BYTES = 64 * 1024;
const MAX_BYTES_A_CHAR = 3;

export function createLogSink(clock: Clock, standard: (text: string) => void): LogSink {
  const targets = new Map<string, Target>();
  let timer: Timer | undefined;
  let isClosed = false;
  const flush = () => {
    timer?.cancel();
    timer = undefined;
    for (const target of targets.values()) {
      const { length } = target;
      target.length = 0;
      if (length > 0) target.put(target.pending.subarray(0, length));
    }
  };
  const open = (path: string): Target => {
    const { put, close } = path.startsWith("/dev/std")
      ? { put: (bytes: Buffer) => standard(bytes.toString()), close: () => undefined }
      : openFile(path);
    const target = { pending: Buffer.allocUnsafeSlow(PENDING_BYTES), length: 0, put, close };
    targets.set(path, target);
    return target;
  };
  return {
    // hot: one call a request; a system call each would cost more than the request itself.
    write(path, line) {
      if (isClosed) return;
      const target = targets.get(path) ?? open(path);
      if (target.length + line.length * MAX_BYTES_A_CHAR > PENDING_BYTES) flush();
      if (line.length * MAX_BYTES_A_CHAR > PENDING_BYTES) target.put(Buffer.from(line));
      else target.length += target.pending.write(line, target.length);
      timer ??= clock.after(FLUSH_MS, flush, { unref: true });
    },
    close() {
      flush();
      isClosed = true;
      for (const target of targets.values()) target.close();
      targets.clear();
    },
  };
}

function openFile(path: string): Pick<Target, "put" | "close"> {
  const fd = openSync(path, "a", 0o644);
  return {
    put(bytes) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    },
    close: () => closeSync(fd),
  };
}
