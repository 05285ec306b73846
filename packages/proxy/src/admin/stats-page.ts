/** /stats in Envoy's text and JSON forms, from the metric registry. */
import type { AnyFamily, Histogram, Registry } from "@argyle/telemetry";

export interface StatLine {
  readonly name: string;
  readonly value: number | string;
}

export function collectStats(
  registry: Registry,
  accepts: (name: string) => boolean,
  usedOnly: boolean,
): readonly StatLine[] {
  const lines: StatLine[] = [];
  for (const family of registry.families()) {
    for (const cell of family.cells()) {
      const name = nameOf(family, cell.labels);
      if (!accepts(name)) continue;
      if ("observe" in cell && "buckets" in family) {
        if (!usedOnly || cell.count > 0) lines.push({ name, value: quantiles(cell, family.buckets) });
      } else if ("value" in cell && (!usedOnly || cell.value !== 0)) lines.push({ name, value: cell.value });
    }
  }
  return lines.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export function formatStats(lines: readonly StatLine[]): string {
  return lines.map((line) => `${line.name}: ${line.value}\n`).join("");
}

function nameOf(family: AnyFamily, labels: readonly string[]): string {
  const { name, labels: names = [], statName } = family.options;
  if (statName !== undefined) return statName(labels);
  if (names.length === 0) return name;
  return `istiocustom.${name}.${names.map((label, i) => `${label}.${labels[i] ?? ""}`).join(".")}`;
}

/** Envoy prints interval and cumulative values; ours are cumulative, so both are the same number. */
function quantiles(cell: Histogram, buckets: readonly number[]): string {
  if (cell.count === 0) return "No recorded values";
  return [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1]
    .map((q) => {
      const value = Number(quantile(cell, buckets, q).toPrecision(4));
      return `P${Number((q * 100).toFixed(1))}(${value},${value})`;
    })
    .join(" ");
}

function quantile(cell: Histogram, buckets: readonly number[], q: number): number {
  const rank = q * cell.count;
  let seen = 0;
  for (const [index, bound] of buckets.entries()) {
    const count = cell.counts[index] ?? 0;
    if (count > 0 && seen + count >= rank) {
      const lower = index === 0 ? 0 : (buckets[index - 1] ?? 0);
      return lower + (bound - lower) * Math.max(0, (rank - seen) / count);
    }
    seen += count;
  }
  return buckets.at(-1) ?? 0;
}
