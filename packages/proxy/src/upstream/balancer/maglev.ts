/**
 * Maglev: a table of prime size that the hosts fill in turn, each along its own permutation; one look-up a request.
 * Hosts are taken in the order of their keys, so that equal sets give equal tables in every proxy.
 * Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, listing 1.
 */
import { type Balanced, type Balancer, randomHash } from "./balancer.ts";
import { xxHash64 } from "./xx-hash.ts";

export function createMaglev<H extends Balanced>(
  hosts: readonly H[],
  random: () => number,
  tableSize: number,
): Balancer<H> {
  const table = buildMaglevTable(hosts, tableSize);
  const size = BigInt(tableSize);
  return {
    pick(hash, attempt = 0) {
      if (table.length === 0) return undefined;
      const wanted = hash ?? randomHash(random);
      const turned = attempt === 0 ? wanted : wanted ^ BigInt.asUintN(64, -BigInt(attempt));
      return table[Number(turned % size)];
    },
  };
}

export function buildMaglevTable<H extends Balanced>(hosts: readonly H[], tableSize: number): readonly H[] {
  if (hosts.length === 0) return [];
  const heaviest = Math.max(...hosts.map((host) => host.weight));
  const entries = [...hosts]
    .sort((a, b) => (a.hashKey < b.hashKey ? -1 : a.hashKey > b.hashKey ? 1 : 0))
    .map((host) => ({
      host,
      offset: Number(xxHash64(host.hashKey) % BigInt(tableSize)),
      skip: Number(xxHash64(host.hashKey, 1n) % BigInt(tableSize - 1)) + 1,
      next: 0,
      dueWeight: 0,
    }));
  const table: (H | undefined)[] = new Array<H | undefined>(tableSize).fill(undefined);
  let filled = 0;
  for (let round = 1; filled < tableSize; round++) {
    for (const entry of entries) {
      if (filled === tableSize) break;
      // The heaviest host is due in every round, one of half its weight in every second.
      if (round * entry.host.weight < entry.dueWeight) continue;
      entry.dueWeight += heaviest;
      let slot: number;
      do slot = (entry.offset + entry.skip * entry.next++) % tableSize;
      while (table[slot] !== undefined);
      table[slot] = entry.host;
      filled += 1;
    }
  }
  return table.flatMap((host) => (host === undefined ? [] : [host]));
}
