/** Counts of durations in buckets that grow by 1 %: percentiles within 1 %, whatever the range, in a bounded number of cells. */
const GROWTH = Math.log(1.01);
const SMALLEST_MS = 0.01;

export interface Histogram {
  add(ms: number): void;
  readonly count: number;
  readonly max: number;
  readonly sum: number;
  /** The duration that `share` (0 to 1) of all are not above; 0 when there are none. */
  quantile(share: number): number;
}

export function createHistogram(): Histogram {
  const cells = new Map<number, number>();
  let [count, max, sum] = [0, 0, 0];
  return {
    add(ms) {
      const cell = Math.max(0, Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / GROWTH));
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
      count += 1;
      sum += ms;
      max = Math.max(max, ms);
    },
    get count() {
      return count;
    },
    get max() {
      return max;
    },
    get sum() {
      return sum;
    },
    quantile(share) {
      const wanted = Math.max(1, Math.ceil(share * count));
      let passed = 0;
      for (const [cell, cellCount] of [...cells].sort(([a], [b]) => a - b)) {
        passed += cellCount;
        if (passed >= wanted) return Math.min(max, SMALLEST_MS * Math.exp(cell * GROWTH));
      }
      return 0;
    },
  };
}
