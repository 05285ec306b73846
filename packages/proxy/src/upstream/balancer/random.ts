/** Uniformly random; Envoy's random policy ignores weights inside a locality. */
import type { Balanced, Balancer } from "./balancer.ts";

export function createRandom<H extends Balanced>(hosts: readonly H[], random: () => number): Balancer<H> {
  return { pick: () => hosts[Math.floor(random() * hosts.length)] };
}
