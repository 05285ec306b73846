/** The files of one set. It remembers what was read, so that a file which no case uses is reported instead of silently skipped. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface PeerFolder {
  /** Every file whose name ends so, sub-folders included, by relative path, sorted. */
  files(suffix: string): readonly string[];
  has(name: string): boolean;
  text(name: string): string;
  json(name: string): unknown;
  /** The files left are inputs of cases that were reported already: none of them is unread. */
  countAsInputs(): void;
  /** What was never read. */
  unread(): readonly string[];
}

export function openPeerFolder(dir: string): PeerFolder {
  const all = listFiles(dir, "");
  const read = new Set<string>();
  const text = (name: string): string => {
    read.add(name);
    return readFileSync(join(dir, name), "utf8");
  };
  return {
    files: (suffix) => all.filter((name) => name.endsWith(suffix)),
    has: (name) => existsSync(join(dir, name)),
    text,
    json: (name) => JSON.parse(text(name)) as unknown,
    countAsInputs() {
      for (const name of all) read.add(name);
    },
    unread: () => all.filter((name) => !read.has(name)),
  };
}

function listFiles(dir: string, below: string): readonly string[] {
  return readdirSync(join(dir, below))
    .sort()
    .flatMap((name) => {
      const path = below === "" ? name : `${below}/${name}`;
      return statSync(join(dir, path)).isDirectory() ? listFiles(dir, path) : [path];
    });
}
