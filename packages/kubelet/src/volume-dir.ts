/**
 * Writes a volume's files as Kubernetes does, so that a reader sees the whole old or the whole new content: they go into a fresh directory, the symlink
 * `..data` is swapped to it by rename, and each file is a symlink through `..data`. Nothing is touched when the content is the same.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { VolumeFile } from "./volume-content.ts";

/** Returns whether anything changed. */
export function writeVolume(dir: string, files: readonly VolumeFile[]): boolean {
  const isNew = mkdirSync(dir, { recursive: true }) !== undefined;
  const old = isNew ? undefined : readLink(join(dir, "..data"));
  if (old !== undefined && holds(join(dir, old), files)) return false;

  const fresh = mkdtempSync(`${dir}/..`);
  const payload = basename(fresh);
  for (const file of files) {
    const path = join(dir, payload, file.path);
    if (file.path.includes("/")) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.content, { mode: file.mode });
  }
  const names = new Set(files.map((file) => file.path.split("/")[0] ?? file.path));
  if (isNew) {
    // Nobody reads it yet.
    symlinkSync(payload, join(dir, "..data"));
    for (const name of names) symlinkSync(join("..data", name), join(dir, name));
    return true;
  }
  const next = join(dir, "..data_tmp");
  rmSync(next, { force: true });
  symlinkSync(payload, next);
  renameSync(next, join(dir, "..data"));

  for (const name of names) {
    const link = join(dir, name);
    if (readLink(link) === undefined && !existsSync(link)) symlinkSync(join("..data", name), link);
  }
  for (const name of readdirSync(dir)) {
    if (!name.startsWith("..") && !names.has(name) && lstatSync(join(dir, name)).isSymbolicLink()) {
      rmSync(join(dir, name));
    }
  }
  if (old !== undefined) rmSync(join(dir, old), { recursive: true, force: true });
  return true;
}

function holds(dir: string, files: readonly VolumeFile[]): boolean {
  try {
    const same = files.every((file) => readFileSync(join(dir, file.path)).equals(file.content));
    return same && countFiles(dir) === files.length;
  } catch {
    return false; // a file is missing
  }
}

function countFiles(dir: string): number {
  return readdirSync(dir, { withFileTypes: true, recursive: true }).filter((entry) => !entry.isDirectory()).length;
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
