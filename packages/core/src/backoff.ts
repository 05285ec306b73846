/** Exponential back-off with full jitter between the base and the current ceiling. Pure: randomness is passed in. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor?: number;
}

/** Delay in milliseconds before attempt `attempt` (0 for the first retry). `random` returns a number in [0, 1). */
export function backoffDelay(policy: BackoffPolicy, attempt: number, random: () => number): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * (policy.factor ?? 2) ** attempt);
  return policy.baseMs + random() * Math.max(0, ceiling - policy.baseMs);
}
