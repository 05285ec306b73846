/**
 * The data directory: a copy of a template that initdb makes once per version and user. Pods that start at the same time wait for the one that makes it.
 * A copy has 750 files, which is a third of a second of a processor just when everything starts: so there are spare copies (spare-copies.ts).
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SPARE_DATABASE } from "./accounts.ts";
import type { PostgresBinaries } from "./binaries.ts";
import type { Identity } from "./identity.ts";
import { spareName, takeSpare } from "./spare-copies.ts";

/**
 * template0 becomes a spare database: renaming it to the one that is asked for takes a millisecond, CREATE DATABASE would copy 300 files.
 * One statement a line, as single-user mode reads them.
 */
const MAKE_SPARE = `UPDATE pg_database SET datistemplate = false, datallowconn = true WHERE datname = 'template0'
ALTER DATABASE template0 RENAME TO ${SPARE_DATABASE}
`;

const LOCK_STALE_MS = 60_000;

/** True when the directory was made now, false when it holds a database already. */
export async function prepareDataDirectory(
  dir: string,
  cacheDir: string,
  binaries: PostgresBinaries,
  identity: Identity,
): Promise<boolean> {
  if (existsSync(join(dir, "PG_VERSION"))) return false;
  const template = await prepareTemplate(cacheDir, binaries, identity);
  mkdirSync(dirname(dir), { recursive: true });
  if (existsSync(dir) && readdirSync(dir).length > 0) throw new Error(`${dir} holds files that are no database`);
  if (!takeSpare(spareName(template), dir)) run(["cp", "-a", `${template}/.`, dir], {});
  chmodSync(dir, 0o700);
  return true;
}

export function templateDirectory(cacheDir: string, binaries: PostgresBinaries): string {
  return join(cacheDir, `template-${binaries.version}`);
}

async function prepareTemplate(cacheDir: string, binaries: PostgresBinaries, identity: Identity): Promise<string> {
  const template = templateDirectory(cacheDir, binaries);
  const lock = `${template}.lock`;
  mkdirSync(cacheDir, { recursive: true });
  while (!existsSync(template)) {
    if (!takeLock(lock)) {
      await delay(20);
      continue;
    }
    try {
      if (!existsSync(template)) makeTemplate(template, binaries, identity);
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
  return template;
}

function makeTemplate(template: string, binaries: PostgresBinaries, identity: Identity): void {
  const fresh = `${template}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  if (identity.uid !== undefined && identity.gid !== undefined) chownSync(fresh, identity.uid, identity.gid);
  const options = [
    "--no-sync",
    "--locale=C",
    "--encoding=UTF8",
    "--wal-segsize=1",
    "--auth=trust",
    "--username=postgres",
  ];
  run([...identity.prefix, binaries.initdb, "-D", fresh, ...options], binaries.env, identity);
  const script = `${fresh}.sql`;
  writeFileSync(script, MAKE_SPARE);
  run([...identity.prefix, binaries.postgres, "--single", "-D", fresh, "template1"], binaries.env, identity, script);
  rmSync(script);
  removeForks(fresh);
  renameSync(fresh, template);
}

/** Free space and visibility maps are rebuilt by use; without them a copy has a third fewer files. */
function removeForks(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) removeForks(path);
    else if (/^\d+_(fsm|vm)$/.test(entry.name)) rmSync(path);
  }
}

function takeLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

/** `inputFile` becomes its standard input: a file, because a program that stops reading a pipe early would be killed for it. */
function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  identity?: Identity,
  inputFile = "/dev/null",
): void {
  const [file = "", ...args] = argv;
  const input = openSync(inputFile, "r");
  const result = spawnSync(file, args, {
    encoding: "utf8",
    stdio: [input, "pipe", "pipe"],
    env: { PATH: process.env.PATH, LC_ALL: "C", ...env },
    ...(identity?.uid === undefined ? {} : { uid: identity.uid, gid: identity.gid }),
  });
  closeSync(input);
  if (result.status !== 0) {
    throw new Error(`${argv.join(" ")} failed: ${result.stderr} ${result.error?.message ?? ""}`);
  }
}
