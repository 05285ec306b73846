/** What every load balancing policy does: pick one host for a request. `random` gives numbers in [0, 1). */
export interface Balanced {
  readonly weight: number;
  /** Requests (or connections) in progress. */
  readonly active: number;
}

export interface Balancer<H extends Balanced> {
  /** Undefined only when there is no host at all. */
  pick(): H | undefined;
}
