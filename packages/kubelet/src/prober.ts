/**
 * When a container is probed and what a row of outcomes means; how one probe is carried out is probe-actions.ts's.
 * Timing (DESIGN.md "Probes"): readiness and startup begin at once and repeat fast until the first success, then every periodSeconds; failures before
 * initialDelaySeconds do not count, for liveness too. The annotation `argyle.dev/probe-delay: honour` restores Kubernetes' timing: nothing before
 * initialDelaySeconds, then every periodSeconds.
 */
import type { Clock, Timer } from "@argyle/core";
import type { Probe } from "@argyle/kube-types";

export type ProbeKind = "startup" | "readiness" | "liveness";
export type ProbeOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface ProberOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly clock: Clock;
  readonly honourDelay: boolean;
  /** How fast it repeats until the first success. */
  readonly fastMs?: number;
  readonly execute: (timeoutMs: number) => Promise<ProbeOutcome>;
  /** The verdict changed. For liveness and startup `false` means: kill it. */
  readonly onVerdict: (isGood: boolean, message: string) => void;
  /** A failure that counts, at most one a period. */
  readonly onFailure: (message: string) => void;
}

export interface Prober {
  /** Asks now, unless it has succeeded once. */
  hurry(): void;
  stop(): void;
}

export interface ProbeTally {
  readonly verdict: boolean | undefined;
  readonly successes: number;
  readonly failures: number;
}

const FAST_MS = 50;
/** An exec probe starts a process each time. */
const FAST_EXEC_MS = 250;
/** After this long without a success the fast repetition slows down to periodSeconds. */
const FAST_FOR_MS = 15_000;

/** Counts one outcome. Invariant: the verdict changes only after a whole threshold of equal outcomes in a row. */
export function tallyOutcome(tally: ProbeTally, probe: Probe, ok: boolean, counts: boolean): ProbeTally {
  if (ok) {
    const successes = tally.successes + 1;
    return { verdict: successes >= (probe.successThreshold ?? 1) ? true : tally.verdict, successes, failures: 0 };
  }
  if (!counts) return { ...tally, successes: 0 };
  const failures = tally.failures + 1;
  return { verdict: failures >= (probe.failureThreshold ?? 3) ? false : tally.verdict, successes: 0, failures };
}

export function startProber(options: ProberOptions): Prober {
  const { kind, probe, clock } = options;
  const startedAt = clock.monotonic();
  const delayMs = (probe.initialDelaySeconds ?? 0) * 1000;
  const periodMs = Math.max(1, probe.periodSeconds ?? 10) * 1000;
  const timeoutMs = Math.max(1, probe.timeoutSeconds ?? 1) * 1000;
  const isFast = !options.honourDelay && kind !== "liveness";
  let tally: ProbeTally = { verdict: undefined, successes: 0, failures: 0 };
  let countedAt = startedAt;
  let timer: Timer | undefined;
  let isStopped = false;
  let everGood = false;
  let isHurried = false;

  const once = async () => {
    const outcome = await options.execute(timeoutMs);
    if (isStopped) return;
    const elapsed = clock.monotonic() - startedAt;
    const before = tally.verdict;
    // In the fast phase one failure a period counts, so that a threshold means as much time as Kubernetes would give.
    const counts = elapsed >= delayMs && (everGood || clock.monotonic() - countedAt >= periodMs);
    tally = tallyOutcome(tally, probe, outcome.ok, counts || !isFast);
    if (!outcome.ok && elapsed < delayMs) tally = { ...tally, failures: 0, verdict: before };
    if (!outcome.ok && elapsed >= delayMs && clock.monotonic() - countedAt >= periodMs)
      options.onFailure(outcome.message);
    if (counts) countedAt = clock.monotonic();
    everGood ||= outcome.ok;
    if (tally.verdict !== before) options.onVerdict(tally.verdict === true, outcome.ok ? "" : outcome.message);
    if (!isStopped && !(kind === "startup" && tally.verdict !== undefined))
      schedule(isHurried && !everGood ? 0 : nextDelay(elapsed));
    isHurried = false;
  };
  const nextDelay = (elapsed: number) => {
    if (!isFast || everGood || elapsed > delayMs + FAST_FOR_MS) return periodMs;
    return Math.min(periodMs, probe.exec === undefined ? (options.fastMs ?? FAST_MS) : FAST_EXEC_MS);
  };
  const schedule = (ms: number) => {
    timer = clock.after(ms, () => {
      timer = undefined;
      void once();
    });
  };
  schedule(isFast ? 0 : options.honourDelay ? delayMs : Math.min(periodMs, Math.max(delayMs, FAST_MS)));
  return {
    hurry() {
      if (isStopped || everGood || !isFast) return;
      // One that is under way may have asked too early.
      isHurried = timer === undefined;
      if (timer === undefined) return;
      timer.cancel();
      schedule(0);
    },
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}
