/**
 * Time from the command to the first 200 of `GET /catalogue` through gateway, front-end, catalogue and PostgreSQL, on an installed checkout
 * with a new state each time. The first run of a checkout also fills V8's code cache and PostgreSQL's template; it is reported apart.
 */

import { startMiniCluster } from "../mini-cluster.ts";
import { type BenchOptions, createScope, type Figure, quantile, round } from "./figure.ts";

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const seconds: number[] = [];
  for (let i = 0; i < (isQuick ? 3 : 8); i++) {
    const scope = createScope();
    const started = performance.now();
    try {
      await startMiniCluster(scope, { demo: "sock-shop" });
      seconds.push((performance.now() - started) / 1000);
      note(`start ${i + 1}: ${seconds.at(-1)?.toFixed(2)} s`);
    } finally {
      await scope.close();
    }
  }
  const warm = seconds.slice(1);
  return [
    { figure: "first start of this run", value: round(seconds[0] ?? Number.NaN, 2), unit: "s" },
    { figure: "start to first 200, median", value: round(quantile(warm, 0.5), 2), unit: "s" },
    { figure: "start to first 200, slowest", value: round(quantile(warm, 1), 2), unit: "s" },
  ];
}
