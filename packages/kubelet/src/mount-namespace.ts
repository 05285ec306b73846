/**
 * Puts a program of the host where every volume is at its mountPath, with `unshare` and bind mounts, without privileges where the kernel permits it
 * (DESIGN.md, "Volumes and exec"). A mountPath that exists on the host is bound over. For one that does not, a new root is built on a tmpfs: the
 * host's top-level directories are bound into it, and only the directories on the way to the missing path are rebuilt, from links into `/.host`.
 * The run, state and dist directories stay visible whatever is mounted above them.
 */
import { execFile } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ContainerMount } from "./volumes.ts";

export interface MountNamespace {
  /** The argv that runs `argv` in `cwd` where every mount is at its path. */
  wrap(argv: readonly string[], cwd: string, mounts: readonly ContainerMount[], scratchDir: string): readonly string[];
}

export interface MountNamespaceOptions {
  /** A directory in which a tmpfs may be mounted to find out whether that is permitted. */
  readonly scratchDir: string;
  /** Directories that must stay visible. */
  readonly keep: readonly string[];
}

/** Undefined where it is not permitted (no user namespaces, macOS). */
export async function detectMountNamespace(options: MountNamespaceOptions): Promise<MountNamespace | undefined> {
  if (process.platform !== "linux") return undefined;
  mkdirSync(options.scratchDir, { recursive: true });
  const flags = process.getuid?.() === 0 ? ["-m", "-Urm"] : ["-Urm"];
  for (const flag of flags) {
    const isPermitted = await succeeds("unshare", [flag, "mount", "-t", "tmpfs", "tmpfs", options.scratchDir]);
    if (isPermitted) return createMountNamespace(flag, options.keep);
  }
  return undefined;
}

export function createMountNamespace(flag: string, keep: readonly string[]): MountNamespace {
  return {
    wrap(argv, cwd, mounts, scratchDir) {
      if (mounts.length === 0) return argv;
      const root = join(scratchDir, ".root");
      mkdirSync(root, { recursive: true });
      const script = renderMountScript(
        mounts.map((mount) => ({ ...mount, mountPath: resolveParents(mount.mountPath) })),
        root,
        keep,
      );
      return ["unshare", flag, "/bin/sh", "-c", script, "argyle-mounts", cwd, ...argv];
    },
  };
}

/** The shell script; `$1` is the working directory, the rest is the program. */
export function renderMountScript(mounts: readonly ContainerMount[], root: string, keep: readonly string[]): string {
  const ordered = [...mounts].sort((a, b) => a.mountPath.length - b.mountPath.length);
  const isHidden = (dir: string) => ordered.some((mount) => dir.startsWith(`${mount.mountPath}/`));
  const isRebuilt = keep.some(isHidden) || ordered.some((mount) => !existsSync(mount.mountPath));
  const prefix = isRebuilt ? root : "";
  const lines = ["set -e", ...(isRebuilt ? renderRoot(ordered, root) : [])];
  for (const { hostPath, mountPath } of ordered) {
    const target = prefix + mountPath;
    if (isRebuilt) {
      const isFile = statSync(hostPath, { throwIfNoEntry: false })?.isFile() === true;
      lines.push(isFile ? `mkdir -p ${quote(dirname(target))}; : >> ${quote(target)}` : `mkdir -p ${quote(target)}`);
    }
    lines.push(`mount -n --bind ${quote(hostPath)} ${quote(target)}`);
  }
  for (const dir of keep.filter(isHidden)) {
    lines.push(`mkdir -p ${quote(root + dir)}; mount -n --rbind ${quote(dir)} ${quote(root + dir)}`);
  }
  const enter = `cd "$1"; shift; exec "$@"`;
  lines.push(isRebuilt ? `exec chroot ${quote(root)} /bin/sh -c '${enter}' sh "$@"` : enter);
  return lines.join("\n");
}

/** A new root in which the parents of every mountPath can be written to. */
function renderRoot(mounts: readonly ContainerMount[], root: string): readonly string[] {
  const targets = new Set(mounts.map((mount) => mount.mountPath));
  const parents = new Set(mounts.flatMap((mount) => ancestors(mount.mountPath)));
  const lines = [`mount -n -t tmpfs tmpfs ${quote(root)}`, `mkdir ${quote(`${root}/.host`)}`];
  lines.push(`mount -n --rbind / ${quote(`${root}/.host`)}`);
  const rebuild = (dir: string) => {
    const links: string[] = [];
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (targets.has(path)) continue;
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) lines.push(`cp -P ${quote(path)} ${quote(root + path)}`);
      else if (stat.isDirectory() && parents.has(path)) {
        lines.push(`mkdir ${quote(root + path)}`);
        rebuild(path);
      } else if (dir !== "/") links.push(`/.host${path}`);
      else if (stat.isDirectory()) {
        lines.push(`mkdir ${quote(root + path)}; mount -n --rbind ${quote(path)} ${quote(root + path)}`);
      }
    }
    if (links.length > 0) lines.push(`ln -s ${links.map(quote).join(" ")} ${quote(`${root}${dir}/`)}`);
  };
  rebuild("/");
  return lines;
}

/** `/etc`, `/` of `/etc/x`. */
function ancestors(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...ancestors(parent)];
}

/** `/var/run/x` → `/run/x`: links of the host on the way to a mountPath are followed, since the bind mount would follow them too. */
function resolveParents(path: string): string {
  if (path === "/" || path === ".") return "/";
  if (existsSync(path)) return realpathSync(path);
  return join(resolveParents(dirname(path)), basename(path));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(file, args, (error) => resolve(error === null));
  });
}
