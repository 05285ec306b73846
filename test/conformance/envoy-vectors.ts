/** Single values from Envoy's own unit tests: what a path becomes, hashes, load-balancer tables. Paths go through the proxy's normalisation. */
import { JWT_STATUS } from "../../packages/proxy/src/filters/jwt/status.ts";
import { normalizePath } from "../../packages/proxy/src/http/path-normalization.ts";
import { buildMaglevTable } from "../../packages/proxy/src/upstream/balancer/maglev.ts";
import { murmurHash2 } from "../../packages/proxy/src/upstream/balancer/murmur-hash.ts";
import { buildRing, createRingHash } from "../../packages/proxy/src/upstream/balancer/ring-hash.ts";
import { xxHash64 } from "../../packages/proxy/src/upstream/balancer/xx-hash.ts";
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

interface HashVector {
  readonly input: string;
  readonly hash: string;
}
interface TableVector {
  readonly hosts: readonly string[];
  readonly minimum_ring_size?: number;
  readonly hash_function?: string;
  readonly ring?: readonly (readonly [number, string])[];
  readonly lookups?: readonly (readonly [string, number])[];
  readonly table_size?: number;
  readonly table_port?: readonly number[];
}

/** Vectors of the hashing load balancers, by the beginning of their name. */
const HASHES: readonly (readonly [string, (vector: unknown) => Verdict])[] = [
  ["xxHash64", (vector) => hashVerdict(vector as HashVector, xxHash64)],
  ["murmurHash2", (vector) => hashVerdict(vector as HashVector, murmurHash2)],
  ["jwt_status_strings", statusVerdict],
  ["ring_hash", (vector) => ringVerdict(vector as TableVector)],
  ["maglev", (vector) => maglevVerdict(vector as TableVector)],
];

function hashVerdict({ input, hash }: HashVector, hashOf: (text: string) => bigint): Verdict {
  return difference("hash", String(hashOf(input)), hash);
}

function balanced(vector: TableVector) {
  return vector.hosts.map((name) => ({ hashKey: name, weight: 1, active: 0, port: Number(name.split(":").at(-1)) }));
}

function ringVerdict(vector: TableVector): Verdict {
  const hosts = balanced(vector);
  const config = {
    minimumRingSize: vector.minimum_ring_size ?? 1024,
    maximumRingSize: 8_388_608,
    hashFunction: vector.hash_function?.startsWith("MURMUR") === true ? "MURMUR_HASH_2" : "XX_HASH",
  } as const;
  const ring = buildRing(hosts, config).map(({ hash, host }) => [host.port, String(hash)]);
  const balancer = createRingHash(hosts, Math.random, config);
  return [
    ...(vector.ring === undefined ? [] : difference("ring", ring, vector.ring)),
    ...(vector.lookups ?? []).flatMap(([hash, port]) =>
      difference(`the host of ${hash}`, balancer.pick(BigInt(hash))?.port, port),
    ),
  ];
}

function maglevVerdict(vector: TableVector): Verdict {
  const table = buildMaglevTable(balanced(vector), vector.table_size ?? 65_537);
  return difference(
    "table",
    table.map(({ port }) => port),
    vector.table_port,
  );
}

/** Texts of states that the filter does not tell apart (single faults of keys) are "n/a". */
function statusVerdict(vector: unknown): Verdict {
  const known: readonly unknown[] = Object.values(JWT_STATUS);
  return known.includes(vector) ? [] : { missing: `the status ${String(vector)}: a key with that fault is left out` };
}

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files(".json")) {
    for (const [name, value] of Object.entries(dir.json(file) as Readonly<Record<string, unknown>>)) {
      if (typeof value === "string") continue;
      const run = PATHS[name] ?? HASHES.find(([prefix]) => name.startsWith(prefix))?.[1];
      const missing = { missing: `vectors of the kind ${name}` };
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
