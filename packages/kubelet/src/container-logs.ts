/**
 * Reads a container's CRI-format log as `kubectl logs` wants it: rotated files oldest first, tail, since, timestamps, limit, follow.
 * A follower reads an old file to its end when it was rotated away, then goes on with the new one, and ends when the container has.
 * Source: Kubernetes API reference, Pod log query parameters.
 */
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { type Clock, parseRfc3339, sleep } from "@argyle/core";

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Epoch milliseconds. */
  readonly since?: number;
  readonly limitBytes?: number;
}

export interface LogSource {
  readonly path: string;
  /** False when the container has ended: a follower stops at the end of the file. */
  readonly isRunning: () => boolean;
}

const POLL_MS = 100;

/** Yields text as it is to be sent. */
export async function* readContainerLog(
  source: LogSource,
  options: LogOptions,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const text of readAll(source, options, clock, signal)) {
    const bytes = Buffer.byteLength(text);
    if (bytes >= left) {
      yield Buffer.from(text).subarray(0, left).toString("utf8");
      return;
    }
    left -= bytes;
    yield text;
  }
}

async function* readAll(
  source: LogSource,
  options: LogOptions,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const format = (line: string) => formatLine(line, options);
  const rotated = [`${source.path}.2`, `${source.path}.1`].filter((path) => existsSync(path));
  let offset = 0;
  if (options.tailLines === undefined) {
    for (const path of rotated) yield* readLines(path, format);
  } else {
    const tail = readTail([source.path, ...rotated.reverse()], options.tailLines);
    offset = tail.offset;
    const text = tail.lines.map(format).join("");
    if (text !== "") yield text;
  }
  yield* followFile(source, offset, options.follow, format, clock, signal);
}

async function* readLines(path: string, format: (line: string) => string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, { encoding: "utf8" })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    const text = lines.map(format).join("");
    if (text !== "") yield text;
  }
}

/** The last `count` output lines, files given newest first, and the offset in the newest file up to which they go. */
export function readTail(
  paths: readonly string[],
  count: number,
): { readonly lines: readonly string[]; readonly offset: number } {
  let lines: readonly string[] = [];
  let offset = 0;
  for (const [i, path] of paths.entries()) {
    if (!existsSync(path)) continue;
    const bytes = readFileSync(path);
    const end = bytes.lastIndexOf(10) + 1;
    if (i === 0) offset = end;
    lines = [...bytes.subarray(0, end).toString("utf8").split("\n").slice(0, -1), ...lines];
    if (lines.length > count) break;
  }
  // A piece (P) belongs to the line that its last piece ends.
  let first = lines.length;
  for (let left = count; first > 0; first--) {
    if (!isPartial(lines[first - 1] ?? "") && left-- === 0) break;
  }
  return { lines: lines.slice(first), offset };
}

async function* followFile(
  source: LogSource,
  start: number,
  isFollowing: boolean,
  format: (line: string) => string,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let file = await open(source.path, "r");
  let position = start;
  let rest = Buffer.alloc(0);
  const buffer = Buffer.alloc(64 * 1024);
  try {
    for (;;) {
      // Asked before reading: what the container wrote before it ended is read in this round.
      const wasRunning = source.isRunning();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead > 0) {
        position += bytesRead;
        const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        const end = bytes.lastIndexOf(10) + 1;
        rest = Buffer.from(bytes.subarray(end));
        const text = bytes.subarray(0, end).toString("utf8").split("\n").slice(0, -1).map(format).join("");
        if (text !== "") yield text;
        continue;
      }
      const current = statSync(source.path, { throwIfNoEntry: false });
      if (current === undefined) return; // the pod is gone
      if (current.ino !== (await file.stat()).ino) {
        await file.close();
        file = await open(source.path, "r");
        position = 0;
        continue;
      }
      if (!isFollowing || !wasRunning) return;
      try {
        await sleep(clock, POLL_MS, signal);
      } catch {
        return; // the client has gone
      }
    }
  } finally {
    await file.close();
  }
}

function isPartial(line: string): boolean {
  return line.split(" ", 3)[2] === "P";
}

/** `time stream F text` → text, with its newline unless it is a piece; empty when it is too old. */
function formatLine(line: string, options: LogOptions): string {
  const afterTime = line.indexOf(" ");
  const afterStream = line.indexOf(" ", afterTime + 1);
  const afterTag = line.indexOf(" ", afterStream + 1);
  if (afterTime === -1 || afterStream === -1 || afterTag === -1) return "";
  const time = line.slice(0, afterTime);
  if (options.since !== undefined && (parseRfc3339(time) ?? 0) < options.since) return "";
  const text = line.slice(afterTag + 1) + (isPartial(line) ? "" : "\n");
  return options.timestamps ? `${time} ${text}` : text;
}
