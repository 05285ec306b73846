/**
 * Which local program stands behind an image name. Reads what the build gathered (dist/images/index.json, ARCHITECTURE.md "Image index").
 * Decides by repository, then tag (variants); `docker.io/`, `library/`, a digest and a registry host are looked through.
 * Nothing is ever pulled: an unknown name is ErrImageNotInIndex, with names that are near and what to do.
 */
import { err, ok, type Result } from "@argyle/core";

export interface ImageEntry {
  readonly id: string;
  /** Repositories without tag. */
  readonly names: readonly string[];
  /** Folder below dist/. */
  readonly directory: string;
  /** Entry bundle below dist/; absent for runtime proxy and exec. */
  readonly main?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Command paths of the original image that mean our program. */
  readonly accepts?: readonly string[];
  readonly ports?: readonly number[];
  /** Tools: `<directory>/bin/<tool>.cjs`, on PATH of the container. */
  readonly bin?: readonly string[];
  readonly runtime?: "node" | "exec" | "proxy";
  /** Tag → extra environment. */
  readonly variants?: Readonly<Record<string, { readonly env?: Readonly<Record<string, string>> }>>;
  /** Repository → values of the pod's `name` or `app` label for which alone the name means this program. */
  readonly onlyFor?: Readonly<Record<string, readonly string[]>>;
  readonly static?: string;
}

export interface ResolvedImage {
  readonly entry: ImageEntry;
  /** As kubectl shows it: the name that was asked for. */
  readonly image: string;
  readonly imageID: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface ImageFailure {
  readonly reason: "ErrImageNotInIndex" | "InvalidImageName";
  readonly message: string;
}

export interface ImageIndex {
  /** Absolute path of dist/. */
  readonly distDir: string;
  readonly entries: readonly ImageEntry[];
  resolve(image: string, labels: Readonly<Record<string, string>>): Result<ResolvedImage, ImageFailure>;
}

/** The image that means "a program of the host": its command is the container's own. */
const HOST_ENTRY: ImageEntry = { id: "host", names: ["host"], directory: "", runtime: "exec" };

/** `entries` is the parsed dist/images/index.json. */
export function createImageIndex(entries: readonly ImageEntry[], distDir: string): ImageIndex {
  const byName = new Map<string, ImageEntry>();
  for (const entry of [HOST_ENTRY, ...entries]) {
    for (const name of entry.names) byName.set(normalizeRepository(name), entry);
  }
  return {
    distDir,
    entries: [HOST_ENTRY, ...entries],
    resolve(image, labels) {
      const parsed = parseImageName(image);
      if (parsed === undefined) {
        return err({ reason: "InvalidImageName", message: `"${image}" is not a valid image name` });
      }
      const entry = byName.get(parsed.repository);
      const isAllowed = entry !== undefined && allows(entry, parsed.repository, labels);
      if (entry === undefined || !isAllowed) {
        return err({ reason: "ErrImageNotInIndex", message: explainMissing(image, parsed.repository, byName) });
      }
      const variant = entry.variants?.[parsed.tag];
      return ok({
        entry,
        image,
        imageID: `argyle://${entry.id}@${parsed.tag}`,
        env: { ...entry.env, ...variant?.env },
      });
    },
  };
}

export function parseImageName(image: string): { readonly repository: string; readonly tag: string } | undefined {
  const match = /^([a-z0-9]+(?:[._/:-]+[a-z0-9]+)*?)(?::([A-Za-z0-9_][\w.-]*))?(?:@(sha256:[0-9a-f]+))?$/.exec(image);
  if (match === null) return undefined;
  return { repository: normalizeRepository(match[1] ?? ""), tag: match[2] ?? "latest" };
}

/** Without registry host and `library/`: `docker.io/library/redis` → `redis`, `quay.io/kiali/kiali` → `kiali/kiali`. */
function normalizeRepository(name: string): string {
  const parts = name.split("/");
  const first = parts[0] ?? "";
  if (parts.length > 1 && (first.includes(".") || first.includes(":") || first === "localhost")) parts.shift();
  if (parts.length > 1 && parts[0] === "library") parts.shift();
  return parts.join("/");
}

function allows(entry: ImageEntry, repository: string, labels: Readonly<Record<string, string>>): boolean {
  const onlyFor = entry.onlyFor?.[repository];
  return onlyFor === undefined || onlyFor.includes(labels.name ?? "") || onlyFor.includes(labels.app ?? "");
}

const STORE_ADVICE: Readonly<Record<string, string>> = {
  mongo:
    "there is no MongoDB for Node.js alone; inside Sock Shop the name means PostgreSQL, elsewhere use image postgres, or run your own mongod with image: host and a command",
  mysql:
    "there is no MySQL for Node.js alone; use image postgres, or run your own mysqld with image: host and a command",
};

function explainMissing(image: string, repository: string, byName: ReadonlyMap<string, ImageEntry>): string {
  const advice =
    STORE_ADVICE[repository === "mariadb" || repository === "percona" ? "mysql" : repository] ??
    "to run a program of this host, use image: host with a command";
  const near = nearest(
    repository,
    [...byName.keys()].filter((name) => name !== repository),
  );
  const hint = near.length === 0 ? "" : `; near names: ${near.join(", ")}`;
  return `image "${image}" is not in the image index${hint}; ${advice}`;
}

function nearest(wanted: string, names: readonly string[]): readonly string[] {
  const last = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  return names
    .map((name) => ({ name, distance: Math.min(editDistance(wanted, name), editDistance(last(wanted), last(name))) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(last(name).length / 3)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
