/**
 * Ketama ring: every host owns points in proportion to its weight; a request goes to the first point at or after its hash. When a host
 * comes or goes only the requests next to its points move.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/load_balancing/load_balancers#ring-hash
 */
import { type Balanced, type Balancer, randomHash } from "./balancer.ts";
import { murmurHash2 } from "./murmur-hash.ts";
import { xxHash64 } from "./xx-hash.ts";

export interface RingHashConfig {
  readonly minimumRingSize: number;
  readonly maximumRingSize: number;
  readonly hashFunction: "XX_HASH" | "MURMUR_HASH_2";
}

export interface RingPoint<H> {
  readonly hash: bigint;
  readonly host: H;
}

export function createRingHash<H extends Balanced>(
  hosts: readonly H[],
  random: () => number,
  config: RingHashConfig,
): Balancer<H> {
  const ring = buildRing(hosts, config);
  return {
    pick(hash, attempt = 0) {
      if (ring.length === 0) return undefined;
      const first = findPoint(ring, hash ?? randomHash(random));
      // Another host is looked for along the ring, which need not be another one at once.
      return ring[(first + attempt) % ring.length]?.host;
    },
  };
}

/** The lightest host gets a whole number of points, and all together at least the minimum. */
export function buildRing<H extends Balanced>(hosts: readonly H[], config: RingHashConfig): readonly RingPoint<H>[] {
  const total = hosts.reduce((sum, host) => sum + host.weight, 0);
  if (total === 0) return [];
  const lightest = Math.min(...hosts.map((host) => host.weight)) / total;
  const scale = Math.min(Math.ceil(lightest * config.minimumRingSize) / lightest, config.maximumRingSize);
  const hashOf = config.hashFunction === "MURMUR_HASH_2" ? murmurHash2 : xxHash64;
  const ring: RingPoint<H>[] = [];
  let target = 0;
  for (const host of hosts) {
    // A running sum: shares that are no whole numbers add up instead of being rounded one by one.
    target += (scale * host.weight) / total;
    for (let i = 0; ring.length < target; i++) ring.push({ hash: hashOf(`${host.hashKey}_${i}`), host });
  }
  return ring.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
}

/** Index of the first point whose hash is at least `hash`; past the last one the ring begins again. */
function findPoint(ring: readonly RingPoint<unknown>[], hash: bigint): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring[middle]?.hash ?? 0n) < hash) low = middle + 1;
    else high = middle;
  }
  return low === ring.length ? 0 : low;
}
