/**
 * What survives the process, on disk: one record after the other, each as length, CRC-32, JSON head, raw bytes. A record is written (write(2)) before the
 * publisher hears of it; the disk is synced every 50 ms. A torn tail is cut. When most of the file is history it is replaced by the shortest one, by rename.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { JournalRecord } from "./broker/journal-record.ts";
import { createLedger, type Ledger } from "./broker/ledger.ts";
import { decodeRecord, encodeRecord } from "./journal-codec.ts";

export interface Journal {
  readonly ledger: Ledger;
  append(record: JournalRecord): void;
  close(): void;
}

const FILE = "argyle-broker.journal";
const FORMAT = Buffer.from("ARGYLE-AMQP-1\n");
const SYNC_MS = 50;
const MIN_REWRITE_BYTES = 4 * 1024 * 1024;

/** Reads what is there, then opens it for appending. Throws when the directory can't be written or the format is another. */
export function openJournal(dir: string): Journal {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, FILE);
  const ledger = createLedger();
  if (existsSync(path)) replay(path, ledger);
  let bytes = 0;
  let liveBytes = 0;
  let isDirty = false;
  let fd = rewrite();

  function rewrite(): number {
    const temporary = `${path}.new`;
    const next = openSync(temporary, "w");
    const parts = [FORMAT, ...ledger.kept().map(frame)];
    for (const part of parts) writeSync(next, part);
    fdatasyncSync(next);
    renameSync(temporary, path);
    bytes = parts.reduce((sum, part) => sum + part.length, 0);
    liveBytes = bytes;
    return next;
  }

  const timer = setInterval(() => {
    if (!isDirty) return;
    isDirty = false;
    const syncing = fd;
    fdatasync(syncing, (error) => {
      // Closed or replaced meanwhile: both sync by themselves.
      if (error !== null && syncing === fd && error.code !== "EBADF") throw error;
    });
  }, SYNC_MS);
  timer.unref();

  return {
    ledger,
    append(record) {
      ledger.apply(record);
      const encoded = frame(record);
      writeSync(fd, encoded);
      bytes += encoded.length;
      isDirty = true;
      if (bytes < MIN_REWRITE_BYTES || bytes < 2 * liveBytes) return;
      const old = fd;
      fd = rewrite();
      closeSync(old);
    },
    close() {
      clearInterval(timer);
      fdatasyncSync(fd);
      closeSync(fd);
    },
  };
}

function frame(record: JournalRecord): Buffer {
  const payload = encodeRecord(record);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt32BE(crc32(payload), 4);
  return Buffer.concat([head, payload]);
}

function replay(path: string, ledger: Ledger): void {
  const bytes = readFileSync(path);
  if (!bytes.subarray(0, FORMAT.length).equals(FORMAT)) throw new Error(`${path} is not a journal of this version`);
  let at = FORMAT.length;
  while (bytes.length - at >= 8) {
    const length = bytes.readUInt32BE(at);
    const payload = bytes.subarray(at + 8, at + 8 + length);
    if (payload.length < length || crc32(payload) !== bytes.readUInt32BE(at + 4)) break;
    ledger.apply(decodeRecord(payload));
    at += 8 + length;
  }
  if (at < bytes.length) truncateSync(path, at);
}
