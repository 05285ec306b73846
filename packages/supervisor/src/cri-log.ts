/**
 * The container log format of the CRI: `<RFC 3339 time> <stdout|stderr> <F|P> <text>`, P for a piece of a line longer than 16 KiB.
 * Decision: the supervisor owns one pipe per container stream and writes these lines itself. It never dies before the containers do (its death
 * ends them), so nobody's reading can be missed; the cluster process may come and go. A line keeps its stream and the time at which it was read;
 * the order between stdout and stderr is the order of reading. Files are rotated by rename, so a follower sees the old file end.
 */
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Clock, errnoOf, rfc3339 } from "@argyle/core";
import type { CriLog } from "./protocol.ts";

export type StreamName = "stdout" | "stderr";

export interface CriWriter {
  write(stream: StreamName, chunk: Buffer): void;
  /** Writes a last line that has no newline. */
  end(stream: StreamName): void;
  close(): void;
  /** Writes that failed. */
  lost(): number;
}

const MAX_LINE_BYTES = 16 * 1024;
const NEWLINE = 10;

/** The records of one chunk, and the bytes that wait for their newline. */
export function formatCriLines(
  stream: StreamName,
  time: string,
  pending: Buffer,
  chunk: Buffer,
): { readonly records: readonly Buffer[]; readonly rest: Buffer } {
  const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
  const full = Buffer.from(`${time} ${stream} F `);
  const records: Buffer[] = [];
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    while (end - start > MAX_LINE_BYTES) {
      const cut = start + MAX_LINE_BYTES;
      records.push(Buffer.from(`${time} ${stream} P `), bytes.subarray(start, cut), Buffer.from("\n"));
      start = cut;
    }
    if (newline === -1) return { records, rest: Buffer.from(bytes.subarray(start)) };
    records.push(full, bytes.subarray(start, newline + 1));
    start = newline + 1;
  }
}

export function openCriLog(log: CriLog, clock: Clock): CriWriter {
  const maxBytes = log.maxBytes ?? 10 * 1024 * 1024;
  const maxFiles = log.maxFiles ?? 3;
  const pending: Record<StreamName, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  mkdirSync(dirname(log.path), { recursive: true });
  let fd = openSync(log.path, "a", 0o600);
  let size = statSync(log.path).size;
  let isClosed = false;
  let lostLines = 0;

  const append = (records: readonly Buffer[]) => {
    if (records.length === 0 || isClosed) return;
    const bytes = Buffer.concat(records);
    if (size > 0 && size + bytes.length > maxBytes) rotate();
    writeSync(fd, bytes);
    size += bytes.length;
  };
  /** A full disk, or a pod's directory that is gone, must end neither the container nor the supervisor: the lines are lost. */
  const tryAppend = (records: readonly Buffer[]) => {
    try {
      append(records);
    } catch {
      lostLines += 1;
    }
  };
  const rotate = () => {
    for (let i = maxFiles - 1; i >= 1; i--) {
      try {
        renameSync(i === 1 ? log.path : `${log.path}.${i - 1}`, `${log.path}.${i}`);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
    }
    const next = openSync(log.path, maxFiles > 1 ? "a" : "w", 0o600);
    closeSync(fd);
    fd = next;
    size = 0;
  };
  return {
    write(stream, chunk) {
      const { records, rest } = formatCriLines(stream, rfc3339(clock.now()), pending[stream], chunk);
      pending[stream] = rest;
      tryAppend(records);
    },
    end(stream) {
      if (pending[stream].length === 0) return;
      tryAppend([Buffer.from(`${rfc3339(clock.now())} ${stream} F `), pending[stream], Buffer.from("\n")]);
      pending[stream] = Buffer.alloc(0);
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      closeSync(fd);
    },
    lost: () => lostLines,
  };
}
