/**
 * Envoy's least request: of `choiceCount` random hosts (two by default) the one with the fewest active requests; with unequal weights, weighted
 * random where each weight is divided by active + 1. https://www.eecs.harvard.edu/~michaelm/postscripts/handbook2001.pdf (power of two choices)
 */
import type { Balanced, Balancer } from "./balancer.ts";

export function createLeastRequest<H extends Balanced>(
  hosts: readonly H[],
  random: () => number,
  choiceCount: number,
): Balancer<H> {
  const first = hosts[0];
  const isWeighted = first !== undefined && hosts.some((host) => host.weight !== first.weight);
  if (isWeighted) return { pick: () => pickWeighted(hosts, random) };
  return {
    pick() {
      let best: H | undefined;
      for (let i = 0; i < choiceCount; i++) {
        const candidate = hosts[Math.floor(random() * hosts.length)];
        if (best === undefined || (candidate !== undefined && candidate.active < best.active)) best = candidate;
      }
      return best;
    },
  };
}

function pickWeighted<H extends Balanced>(hosts: readonly H[], random: () => number): H | undefined {
  let total = 0;
  for (const host of hosts) total += host.weight / (host.active + 1);
  let point = random() * total;
  for (const host of hosts) {
    point -= host.weight / (host.active + 1);
    if (point < 0) return host;
  }
  return hosts.at(-1);
}
