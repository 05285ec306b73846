/**
 * The durable side of the store: `log` (every commit, appended) and `snapshot` (the whole state at one revision), both in record.ts' form.
 * `append` returns after write(2): a process that dies loses nothing that was acknowledged. fdatasync follows within 50 ms: a power cut
 * loses at most that. A commit that could not be written whole is cut off again and thrown, so nothing is half applied; when even that
 * fails the log refuses all further writes.
 * At start a torn tail is cut off; a record that is broken in the middle of the log is an error, since whole ones behind it would be lost.
 * A snapshot is written aside, synced and renamed; then the log is begun anew. Records that the snapshot holds already are skipped by
 * their revision, so a crash between the two renames is harmless.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Clock, describeError, errnoOf, type Logger, MeshError, type Timer } from "@argyle/core";
import {
  decodeHeader,
  decodeRecords,
  encodeHeader,
  encodeRecord,
  FORMAT_VERSION,
  findRecord,
  HEADER_BYTES,
} from "./record.ts";

const SYNC_EVERY_MS = 50;

export interface LogFile {
  /** Throws MeshError `apiserver.store.full` or `apiserver.store.write`; then nothing was kept. */
  append(payload: string): void;
  /** Bytes in the log since the last snapshot. */
  size(): number;
  writeSnapshot(payloads: Iterable<string>): void;
  /** Size of the last snapshot in bytes. */
  snapshotSize(): number;
  close(): void;
}

export interface OpenedLog {
  readonly file: LogFile;
  readonly snapshot: readonly string[];
  readonly records: readonly string[];
  /** Bytes of a torn tail that were cut off. */
  readonly cutBytes: number;
}

/** The system calls that can fail for want of space; replaced in tests. */
export interface LogSystem {
  readonly write: (fd: number, bytes: Buffer, offset: number, length: number, position: number) => number;
}

const NODE_SYSTEM: LogSystem = { write: writeSync };

export function openLogFile(dir: string, clock: Clock, log: Logger, system: LogSystem = NODE_SYSTEM): OpenedLog {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const logPath = join(dir, "log");
  const snapshotPath = join(dir, "snapshot");
  const snapshot = readFileIfPresent(snapshotPath);
  const snapshotRecords = snapshot === undefined ? [] : readWholeSnapshot(snapshotPath, snapshot);
  let snapshotBytes = snapshot?.length ?? 0;

  const existing = readFileIfPresent(logPath);
  let fd: number;
  let end: number;
  let records: readonly string[] = [];
  if (existing === undefined || existing.length < HEADER_BYTES) {
    fd = beginLog(dir);
    end = HEADER_BYTES;
  } else {
    checkHeader(logPath, existing);
    const decoded = decodeRecords(existing, HEADER_BYTES);
    records = decoded.payloads;
    end = decoded.end;
    refuseDamage(logPath, existing, end);
    fd = openSync(logPath, "r+");
    if (end < existing.length) ftruncateSync(fd, end);
  }
  const cutBytes = existing === undefined ? 0 : Math.max(0, existing.length - end);

  let timer: Timer | undefined;
  let isBroken = false;
  const syncSoon = () => {
    timer ??= clock.after(
      SYNC_EVERY_MS,
      () => {
        timer = undefined;
        const syncing = fd;
        fdatasync(syncing, (error) => {
          if (error !== null && fd === syncing) log.error("store: fdatasync failed", { error: describeError(error) });
        });
      },
      { unref: true },
    );
  };

  const file: LogFile = {
    append(payload) {
      if (isBroken)
        throw new MeshError("the store is read-only after a failed write", { code: "apiserver.store.write" });
      const bytes = encodeRecord(payload);
      let written = 0;
      try {
        while (written < bytes.length) {
          const count = system.write(fd, bytes, written, bytes.length - written, end + written);
          if (count === 0) throw new Error("write returned 0");
          written += count;
        }
      } catch (error) {
        try {
          ftruncateSync(fd, end);
        } catch (truncateError) {
          isBroken = true;
          log.error("store: a failed write could not be undone", { error: describeError(truncateError) });
        }
        const errno = errnoOf(error);
        if (errno === "ENOSPC" || errno === "EDQUOT") {
          throw new MeshError("no space left on the device that holds the store", {
            code: "apiserver.store.full",
            cause: error,
            retryable: true,
            advice: `free some space below ${dir} and try again`,
          });
        }
        throw new MeshError("the store could not be written", { code: "apiserver.store.write", cause: error });
      }
      end += bytes.length;
      syncSoon();
    },
    size: () => end - HEADER_BYTES,
    snapshotSize: () => snapshotBytes,
    writeSnapshot(payloads) {
      const temporary = `${snapshotPath}.tmp`;
      const out = openSync(temporary, "w", 0o600);
      let position = 0;
      try {
        const put = (bytes: Buffer) => {
          for (let done = 0; done < bytes.length; )
            done += system.write(out, bytes, done, bytes.length - done, position + done);
          position += bytes.length;
        };
        put(encodeHeader());
        let count = 0;
        for (const payload of payloads) {
          put(encodeRecord(payload));
          count++;
        }
        // The closing record tells a whole snapshot from a damaged one.
        put(encodeRecord(JSON.stringify({ end: count })));
        fsyncSync(out);
        closeSync(out);
      } catch (error) {
        closeSync(out);
        // On a full disk the half of it would only make matters worse.
        rmSync(temporary, { force: true });
        throw error;
      }
      renameSync(temporary, snapshotPath);
      snapshotBytes = position;
      const previous = fd;
      fd = beginLog(dir);
      end = HEADER_BYTES;
      isBroken = false;
      closeSync(previous);
    },
    close() {
      timer?.cancel();
      fdatasyncSync(fd);
      closeSync(fd);
    },
  };
  return { file, snapshot: snapshotRecords, records, cutBytes };
}

function beginLog(dir: string): number {
  const temporary = join(dir, "log.tmp");
  const fd = openSync(temporary, "w+", 0o600);
  writeSync(fd, encodeHeader());
  fsyncSync(fd);
  renameSync(temporary, join(dir, "log"));
  const directory = openSync(dir, "r");
  fsyncSync(directory);
  closeSync(directory);
  return fd;
}

function readFileIfPresent(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}

function readWholeSnapshot(path: string, bytes: Buffer): readonly string[] {
  checkHeader(path, bytes);
  const { payloads, end } = decodeRecords(bytes, HEADER_BYTES);
  const closing: unknown = JSON.parse(payloads.at(-1) ?? "null");
  const isWhole = end === bytes.length && JSON.stringify(closing) === JSON.stringify({ end: payloads.length - 1 });
  if (!isWhole) {
    throw new MeshError(`the snapshot ${path} is damaged`, {
      code: "apiserver.store.damaged",
      advice: "restore it from a backup, or start over with --fresh",
    });
  }
  return payloads.slice(0, -1);
}

/** A torn tail is cut off; whole records behind a broken one were acknowledged once and are not thrown away silently. */
function refuseDamage(path: string, bytes: Buffer, end: number): void {
  if (end === bytes.length || findRecord(bytes, end + 1) === undefined) return;
  throw new MeshError(`the store ${path} is damaged at byte ${end} of ${bytes.length}`, {
    code: "apiserver.store.damaged",
    advice: `restore it from a backup, start over with --fresh, or keep what was stored before the damage: truncate -s ${end} '${path}'`,
  });
}

function checkHeader(path: string, bytes: Buffer): void {
  const header = decodeHeader(bytes);
  if (header.ok) return;
  if (header.error.kind === "newer") {
    throw new MeshError(
      `${path} was written by a newer Argyle (store format ${header.error.version}, this one reads up to ${FORMAT_VERSION})`,
      {
        code: "apiserver.store.newer-format",
        advice: "run the newer version again, or start over with --fresh",
      },
    );
  }
  throw new MeshError(`${path} is not a store of Argyle`, {
    code: "apiserver.store.damaged",
    advice: "move it away, or start over with --fresh",
  });
}
