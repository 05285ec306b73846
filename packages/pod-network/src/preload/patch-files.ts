/**
 * Where mount namespaces are not available, absolute paths at or below a mountPath are mapped to the volume on the host for fs calls.
 * Only what Node opens itself: a native addon or a child that is no Node program does not see it (the kubelet says so in an Event).
 */
import fs from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { PreloadConfig } from "./config.ts";

/** fs functions and how many leading arguments are paths. Descriptors (readFile(3)) pass unchanged. */
const PATH_ARGUMENTS: Readonly<Record<string, number>> = Object.fromEntries([
  ..."access appendFile chmod chown lchown exists lstat mkdir mkdtemp open opendir readFile readdir readlink realpath rm rmdir stat statfs truncate unlink utimes lutimes writeFile"
    .split(" ")
    .map((name) => [name, 1] as const),
  ..."copyFile cp link rename symlink".split(" ").map((name) => [name, 2] as const),
]);
const STREAM_FUNCTIONS = ["createReadStream", "createWriteStream", "watch", "watchFile", "unwatchFile"];

type AnyFunction = (...args: unknown[]) => unknown;

export function patchFiles(config: PreloadConfig): void {
  if (config.volumeMounts.length === 0) return;
  // The longest mountPath wins, as with nested mounts.
  const mounts = [...config.volumeMounts].sort((a, b) => b.mountPath.length - a.mountPath.length);
  const own = ownDirectories(config);
  const map = (path: unknown): unknown => mapPath(path, mounts, own);
  for (const [name, count] of Object.entries(PATH_ARGUMENTS)) {
    wrap(fs, name, count, map);
    wrap(fs, `${name}Sync`, count, map);
    wrap(fs.promises, name, count, map);
  }
  for (const name of STREAM_FUNCTIONS) wrap(fs, name, 1, map);
  wrap(fs.promises, "watch", 1, map);
}

/** Where Argyle keeps the pod, and the program with its modules. All of it may be below a mountPath such as /tmp, and is on the host nevertheless. */
function ownDirectories({ runDir, volumeMounts }: PreloadConfig): readonly string[] {
  const told = Object.entries(process.env).flatMap(([name, value = ""]) =>
    name.startsWith("ARGYLE_") && value.startsWith(sep) ? [value] : [],
  );
  const program = process.argv[1] === undefined ? [] : [packageRoot(dirname(process.argv[1]))];
  return [runDir, ...told, ...program, ...volumeMounts.map(({ hostPath }) => hostPath)];
}

/** The nearest directory with a package.json: Node looks for modules and their scope there. Else the directory itself. */
export function packageRoot(directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    if (fs.existsSync(join(at, "package.json"))) return at;
    if (at === dirname(at)) return directory;
  }
}

export function mapPath(path: unknown, mounts: PreloadConfig["volumeMounts"], own: readonly string[] = []): unknown {
  const text =
    typeof path === "string"
      ? path
      : path instanceof URL && path.protocol === "file:"
        ? fileURLToPath(path)
        : Buffer.isBuffer(path)
          ? path.toString()
          : undefined;
  if (text === undefined || own.some((dir) => text === dir || text.startsWith(dir + sep))) return path;
  for (const { mountPath, hostPath } of mounts) {
    const root = mountPath.endsWith(sep) ? mountPath.slice(0, -1) : mountPath;
    if (text === root) return hostPath;
    if (!text.startsWith(root + sep)) continue;
    // On the way to one of ours: realpath asks for each directory of a path.
    return own.some((dir) => dir.startsWith(text + sep)) ? path : hostPath + text.slice(root.length);
  }
  return path;
}

function wrap(owner: object, name: string, count: number, map: (path: unknown) => unknown): void {
  const asNode: unknown = Reflect.get(owner, name);
  if (typeof asNode !== "function") return;
  const call = asNode as AnyFunction;
  const mapped = function mapped(this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(
      call,
      this,
      args.map((arg, i) => (i < count ? map(arg) : arg)),
    );
  };
  // realpath.native and util.promisify.custom are properties of the function.
  Object.defineProperties(mapped, Object.getOwnPropertyDescriptors(call));
  Object.assign(owner, { [name]: mapped });
}
