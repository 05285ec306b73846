/** What every load balancing policy does: pick one host for a request. `random` gives numbers in [0, 1). */
export interface Balanced {
  readonly weight: number;
  /** Requests (or connections) in progress. */
  readonly active: number;
  /** What consistent hashing knows the host by: its address, or the hash_key of its metadata. */
  readonly hashKey: string;
}

export interface Balancer<H extends Balanced> {
  /**
   * Undefined only when there is no host at all. `hash` binds a request to a host where the policy hashes (none: any host); `attempt` counts
   * the hosts that were refused for this request.
   */
  pick(hash?: bigint, attempt?: number): H | undefined;
}

/** Of a request that nothing binds to a host. */
export function randomHash(random: () => number): bigint {
  return (BigInt(Math.floor(random() * 0x1_0000_0000)) << 32n) | BigInt(Math.floor(random() * 0x1_0000_0000));
}
