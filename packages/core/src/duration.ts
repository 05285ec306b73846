/**
 * Durations as Istio and Kubernetes manifests write them (`5s`, `1m30s`, `250ms`, Go's time.ParseDuration)
 * and as proto3 JSON writes them (`5s`, `0.250s`).
 */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a Go duration, or undefined when the text is not one. */
export function parseGoDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(part[1]) * (UNIT_MS[part[2] ?? ""] ?? 0);
  }
  return match[1] === "-" ? -total : total;
}

/** The proto3 JSON form of google.protobuf.Duration: seconds with 0, 3, 6 or 9 fraction digits and `s`. */
export function toProtoDuration(ms: number): string {
  if (Number.isInteger(ms / 1000)) return `${ms / 1000}s`;
  return Number.isInteger(ms) ? `${(ms / 1000).toFixed(3)}s` : `${(ms / 1000).toFixed(9)}s`;
}

/** Milliseconds of a proto3 JSON Duration, or undefined when the text is not one. */
export function parseProtoDuration(text: string): number | undefined {
  return /^-?\d+(\.\d{1,9})?s$/.test(text) ? Number(text.slice(0, -1)) * 1000 : undefined;
}
