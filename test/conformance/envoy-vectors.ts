/** Single values from Envoy's own unit tests: what a path becomes, hashes, load-balancer tables. Paths go through the proxy's normalisation. */
import { normalizePath } from "../../packages/proxy/src/http/path-normalization.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface PathVector {
  readonly in: string;
  readonly out: string;
  readonly result?: string;
}

const KEEP = { normalize: false, mergeSlashes: false, escapedSlashes: "keep" } as const;

const PATHS: Readonly<Record<string, (vector: PathVector | string) => Verdict>> = {
  path_canonical: (vector) =>
    typeof vector === "string"
      ? ["not a vector"]
      : difference("path", normalizePath(vector.in, { ...KEEP, normalize: true }), { kind: "path", path: vector.out }),
  path_canonical_rejected: (vector) =>
    difference("path", normalizePath(String(vector), { ...KEEP, normalize: true }), { kind: "rejected" }),
  path_merge_slashes: (vector) =>
    typeof vector === "string"
      ? ["not a vector"]
      : difference("path", normalizePath(vector.in, { ...KEEP, mergeSlashes: true }), {
          kind: "path",
          path: vector.out,
        }),
  path_unescape_slashes: (vector) =>
    typeof vector === "string"
      ? ["not a vector"]
      : difference("path", normalizePath(vector.in, { ...KEEP, escapedSlashes: "redirect" }), {
          kind: vector.result === "FoundAndUnescaped" ? "redirect" : "path",
          path: vector.out,
        }),
};

const MISSING: Readonly<Record<string, string>> = {
  xxHash64_seed0: "xxHash64: there are no hashing load balancers yet",
  murmurHash2_seed_default: "MurmurHash2: there are no hashing load balancers yet",
  ring_hash_basic: "the load-balancing policy RING_HASH",
  maglev_basic: "the load-balancing policy MAGLEV",
  jwt_status_strings: "the HTTP filter jwt_authn",
};

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files(".json")) {
    for (const [name, value] of Object.entries(dir.json(file) as Readonly<Record<string, unknown>>)) {
      if (typeof value === "string") continue;
      const run = PATHS[name];
      const missing = { missing: MISSING[name] ?? `vectors of the kind ${name}` };
      for (const [id, vector] of vectorsOf(value))
        yield await judge(`${name}/${id}`, () => (run === undefined ? missing : run(vector as PathVector | string)));
    }
  }
}

/** A list holds a vector an entry, `strings` a vector a name; anything else is one vector. */
function vectorsOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (Array.isArray(value)) return value.map((vector, index) => [`${index} ${labelOf(vector)}`, vector] as const);
  const { strings } = value as { readonly strings?: Readonly<Record<string, string>> };
  return strings === undefined ? [["all", value]] : Object.entries(strings);
}

function labelOf(vector: unknown): string {
  const { in: path, input } = (typeof vector === "object" && vector !== null ? vector : { in: vector }) as {
    readonly in?: unknown;
    readonly input?: unknown;
  };
  return JSON.stringify(path ?? input ?? vector);
}
