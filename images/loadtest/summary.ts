/** The report as a table for a log or a terminal. */
import type { Report, Row } from "./statistics.ts";

const COLUMNS: readonly (readonly [title: string, value: (row: Row) => string])[] = [
  ["requests", (row) => String(row.requests)],
  ["failed", (row) => String(row.failures)],
  ["req/s", (row) => row.perSecond.toFixed(1)],
  ["avg", (row) => ms(row.averageMs)],
  ["p50", (row) => ms(row.p50)],
  ["p90", (row) => ms(row.p90)],
  ["p95", (row) => ms(row.p95)],
  ["p99", (row) => ms(row.p99)],
  ["max", (row) => ms(row.maxMs)],
  ["p99 service", (row) => ms(row.serviceP99)],
];

export function formatSummary(report: Report, users: number): string {
  const rows = [...report.rows, report.total];
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const widths = COLUMNS.map(([title, value]) => Math.max(title.length, ...rows.map((row) => value(row).length)));
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(nameWidth)}  ${cells.map((cell, i) => cell.padStart(widths[i] ?? 0)).join("  ")}`;
  const failed = report.failures.map(({ name, failure, count }) => `  ${count} × ${name}: ${failure}`);
  return [
    `${(report.elapsedMs / 1000).toFixed(1)} s, ${users} users, times in ms from when the schedule wanted each request to begin`,
    line(
      "",
      COLUMNS.map(([title]) => title),
    ),
    ...rows.map((row) =>
      line(
        row.name,
        COLUMNS.map(([, value]) => value(row)),
      ),
    ),
    ...(failed.length === 0 ? [] : ["failures:", ...failed]),
    "",
  ].join("\n");
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
