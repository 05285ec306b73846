/**
 * Cluster DNS: names are files `$RUN/dns/<name>.<namespace>`, one IP a line, written by kube-proxy by rename.
 * The order of the search path is that of a pod's resolv.conf (ndots:5; search <ns>.svc.cluster.local svc.cluster.local cluster.local).
 * A name below .svc or .cluster.local never leaves the cluster: when it is not there, it does not exist.
 */
import { isIP } from "node:net";

/** found: a cluster name. unknown: a name of the cluster's zone that does not exist (NXDOMAIN). external: not a name of the cluster. */
export type Resolution =
  | { readonly kind: "found"; readonly name: string; readonly addresses: readonly string[] }
  | { readonly kind: "unknown" }
  | { readonly kind: "external" };

export interface NameQuery {
  /** File names to try, first hit wins. */
  readonly candidates: readonly string[];
  /** The name is of the cluster's zone: it does not exist when no candidate does. */
  readonly isClusterZone: boolean;
}

const NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;
const ZONE_SUFFIXES = [".svc.cluster.local", ".svc"];

/** What to look for when a pod of `namespace` asks for `name`. Pure. */
export function clusterQuery(name: string, namespace: string): NameQuery {
  const plain = name.toLowerCase().replace(/\.$/, "");
  if (!NAME.test(plain) || isIP(plain) !== 0) return { candidates: [], isClusterZone: false };
  const suffix = ZONE_SUFFIXES.find((zone) => plain.endsWith(zone));
  if (suffix !== undefined) return { candidates: [plain.slice(0, -suffix.length)], isClusterZone: true };
  if (plain.endsWith(".cluster.local")) return { candidates: [], isClusterZone: true };
  const isAbsolute = name.endsWith(".");
  const candidates = isAbsolute ? [] : [`${plain}.${namespace}`];
  // `name.namespace`, and `host.name.namespace` of a headless Service.
  if (plain.includes(".")) candidates.push(plain);
  return { candidates, isClusterZone: false };
}

/** Looks the query up with `read`, which returns a file's text or undefined. */
export function resolveQuery(query: NameQuery, read: (file: string) => string | undefined): Resolution {
  for (const name of query.candidates) {
    const text = read(name);
    if (text !== undefined) return { kind: "found", name, addresses: parseAddresses(text) };
  }
  return query.isClusterZone ? { kind: "unknown" } : { kind: "external" };
}

/** The addresses of a DNS file. Lines that are no IP are ignored. */
export function parseAddresses(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => isIP(line) !== 0);
}
