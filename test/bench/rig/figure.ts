/** What a bench gives: figures with their unit, and the ratio to a peer measured in the same run where there is one. */
export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly ratio?: number;
}

export interface BenchOptions {
  readonly isQuick: boolean;
  /** `--only TEXT`: what a bench with several scenarios runs, by a part of their names; "" for all. */
  readonly only: string;
  note(text: string): void;
}

/** Nearest-rank quantile; NaN for no samples. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** A scope whose cleanups the bench runs itself. */
export function createScope(): { after(fn: () => Promise<void> | void): void; close(): Promise<void> } {
  const cleanups: (() => Promise<void> | void)[] = [];
  return {
    after: (fn) => void cleanups.push(fn),
    async close() {
      for (const cleanup of cleanups.reverse()) await cleanup();
    },
  };
}
