/**
 * Weighted round robin. Equal weights go in turn; different ones by smooth weighted round robin, which spreads a heavy host's turns evenly
 * and gives exact shares over one cycle. The first host is random so that many proxies don't start in step, as in Envoy.
 */
import type { Balanced, Balancer } from "./balancer.ts";

export function createRoundRobin<H extends Balanced>(hosts: readonly H[], random: () => number): Balancer<H> {
  let next = Math.floor(random() * hosts.length);
  const first = hosts[0];
  if (first === undefined || hosts.every((host) => host.weight === first.weight)) {
    return {
      pick() {
        if (next >= hosts.length) next = 0;
        return hosts[next++];
      },
    };
  }
  const total = hosts.reduce((sum, host) => sum + host.weight, 0);
  const current = hosts.map(() => 0);
  const pick = () => {
    let best = 0;
    for (let i = 0; i < hosts.length; i++) {
      current[i] = (current[i] ?? 0) + (hosts[i]?.weight ?? 0);
      if ((current[i] ?? 0) > (current[best] ?? 0)) best = i;
    }
    current[best] = (current[best] ?? 0) - total;
    return hosts[best];
  };
  for (; next > 0; next--) pick();
  return { pick };
}
