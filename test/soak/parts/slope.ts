/** The straight line through readings by least squares, from a minute on: what grows while nothing else does. */
export function slopePerMinute(
  readings: readonly { readonly minute: number; readonly megabytes: number }[],
  fromMinute: number,
): number {
  const used = readings.filter(({ minute }) => minute >= fromMinute);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(used.map(({ minute }) => minute));
  const y = mean(used.map(({ megabytes }) => megabytes));
  const over = used.reduce((sum, { minute, megabytes }) => sum + (minute - x) * (megabytes - y), 0);
  const under = used.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
