/** The balancer of a policy. CLUSTER_PROVIDED clusters choose by destination; what still asks here goes in turn. */
import type { LbConfig } from "../../config/lb-config.ts";
import type { Balanced, Balancer } from "./balancer.ts";
import { createLeastRequest } from "./least-request.ts";
import { createMaglev } from "./maglev.ts";
import { createRandom } from "./random.ts";
import { createRingHash } from "./ring-hash.ts";
import { createRoundRobin } from "./round-robin.ts";

export function createBalancer<H extends Balanced>(
  config: LbConfig,
  hosts: readonly H[],
  random: () => number,
): Balancer<H> {
  switch (config.policy) {
    case "LEAST_REQUEST":
      return createLeastRequest(hosts, random, config.choiceCount);
    case "RANDOM":
      return createRandom(hosts, random);
    case "RING_HASH":
      return createRingHash(hosts, random, config.ringHash);
    case "MAGLEV":
      return createMaglev(hosts, random, config.maglevTableSize);
    case "CLUSTER_PROVIDED":
    case "ROUND_ROBIN":
      return createRoundRobin(hosts, random);
  }
}
