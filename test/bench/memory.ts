/** Proportional set size of every process of the system after a little traffic; Linux only. */

import { get } from "../http.ts";
import { startMiniCluster } from "../mini-cluster.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";

export async function bench({ isQuick }: BenchOptions): Promise<readonly Figure[]> {
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "sock-shop" });
    for (let i = 0; i < (isQuick ? 100 : 1000); i++) await get(`${cluster.gateway}/catalogue`);
    const { stdout } = await cluster.argyle("status", "-o", "json");
    const status = JSON.parse(stdout) as { pssBytes: number; processes: readonly { name: string; pssBytes: number }[] };
    const megabytes = (bytes: number) => round(bytes / 1024 / 1024);
    return [
      ...status.processes.map((p) => ({ figure: p.name, value: megabytes(p.pssBytes), unit: "MB" })),
      { figure: "whole system", value: megabytes(status.pssBytes), unit: "MB" },
    ];
  } finally {
    await scope.close();
  }
}
