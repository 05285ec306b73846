/**
 * What was measured, per endpoint and per second. Two times are kept of each request: the response time, from when the schedule wanted it to begin,
 * and the service time, from when it was sent. The difference is what a customer waits because earlier answers were late; leaving it out
 * is the coordinated omission that most load generators commit.
 */
import { createHistogram, type Histogram } from "./histogram.ts";

export interface Sample {
  /** `GET /detail.html`. */
  readonly name: string;
  readonly responseMs: number;
  readonly serviceMs: number;
  /** Undefined when the answer was what the journey wants. */
  readonly failure: string | undefined;
}

export interface Row {
  readonly name: string;
  readonly requests: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly averageMs: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly maxMs: number;
  /** p99 of the service time alone. */
  readonly serviceP99: number;
}

export interface Second {
  readonly at: number;
  readonly users: number;
  readonly requests: number;
  readonly failures: number;
  readonly p50: number;
  readonly p95: number;
}

export interface Report {
  readonly elapsedMs: number;
  readonly rows: readonly Row[];
  readonly total: Row;
  readonly failures: readonly { readonly name: string; readonly failure: string; readonly count: number }[];
  readonly seconds: readonly Second[];
}

export interface Statistics {
  add(sample: Sample): void;
  /** Ends a second: what came since the last tick becomes a point of the curve. */
  tick(users: number): void;
  report(): Report;
}

interface Cell {
  readonly response: Histogram;
  readonly service: Histogram;
  failures: number;
}

const MAX_SECONDS = 600;
const MAX_FAILURE_KINDS = 100;

export function createStatistics(now: () => number): Statistics {
  const startedAt = now();
  const cells = new Map<string, Cell>();
  const total = createCell();
  const failures = new Map<string, { readonly name: string; readonly failure: string; count: number }>();
  const seconds: Second[] = [];
  let current = createCell();
  return {
    add({ name, responseMs, serviceMs, failure }) {
      const own = cells.get(name) ?? createCell();
      cells.set(name, own);
      for (const cell of [own, total, current]) {
        cell.response.add(responseMs);
        cell.service.add(serviceMs);
        if (failure !== undefined) cell.failures += 1;
      }
      if (failure === undefined) return;
      const key = `${name} ${failure}`;
      const known = failures.get(key);
      if (known !== undefined) known.count += 1;
      else if (failures.size < MAX_FAILURE_KINDS) failures.set(key, { name, failure, count: 1 });
    },
    tick(users) {
      const { response, failures: failed } = current;
      seconds.push({
        at: Math.round((now() - startedAt) / 1000),
        users,
        requests: response.count,
        failures: failed,
        p50: response.quantile(0.5),
        p95: response.quantile(0.95),
      });
      if (seconds.length > MAX_SECONDS) seconds.shift();
      current = createCell();
    },
    report() {
      const elapsedMs = now() - startedAt;
      return {
        elapsedMs,
        rows: [...cells].map(([name, cell]) => toRow(name, cell, elapsedMs)),
        total: toRow("all", total, elapsedMs),
        failures: [...failures.values()].sort((a, b) => b.count - a.count),
        seconds,
      };
    },
  };
}

function createCell(): Cell {
  return { response: createHistogram(), service: createHistogram(), failures: 0 };
}

function toRow(name: string, { response, service, failures }: Cell, elapsedMs: number): Row {
  return {
    name,
    requests: response.count,
    failures,
    perSecond: elapsedMs === 0 ? 0 : (response.count * 1000) / elapsedMs,
    averageMs: response.count === 0 ? 0 : response.sum / response.count,
    p50: response.quantile(0.5),
    p90: response.quantile(0.9),
    p95: response.quantile(0.95),
    p99: response.quantile(0.99),
    maxMs: response.max,
    serviceP99: service.quantile(0.99),
  };
}
