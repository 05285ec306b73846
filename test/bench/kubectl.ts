/** `kubectl get pods` as a whole process, with warm discovery. */

import { findKubectls, startMiniCluster } from "../mini-cluster.ts";
import { type BenchOptions, createScope, type Figure, quantile, round } from "./rig/figure.ts";

export async function bench({ isQuick }: BenchOptions): Promise<readonly Figure[]> {
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "sock-shop" });
    const figures: Figure[] = [];
    for (const { version, path } of findKubectls()) {
      const samples: number[] = [];
      for (let i = 0; i < (isQuick ? 6 : 21); i++) {
        const started = performance.now();
        const outcome = await cluster.tryKubectl(["get", "pods", "-n", "sock-shop"], { program: path });
        if (outcome.code !== 0) throw new Error(outcome.stderr);
        samples.push(performance.now() - started);
      }
      figures.push({
        figure: `kubectl ${version} get pods, median`,
        value: round(quantile(samples.slice(1), 0.5)),
        unit: "ms",
      });
    }
    return figures;
  } finally {
    await scope.close();
  }
}
