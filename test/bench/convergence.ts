/**
 * From the 200 of the PATCH of a VirtualService to the first request that follows it, probed every millisecond through the ingress gateway.
 * The route swings between v1 and v2 of the front-end. The probe's own answer time is part of the figure.
 */
import { readFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { formatProblems } from "@argyle/core";
import { createKubeClient, loadKubeconfig } from "@argyle/kube-client";
import { resourceOf } from "@argyle/kube-types";
import { get } from "../http.ts";
import { ROOT, startMiniCluster } from "../mini-cluster.ts";
import { type BenchOptions, createScope, type Figure, quantile, round } from "./rig/figure.ts";

/** Changes right after a start: compilers are cold, and what a start leaves to do later is still being done. */
const WARM_UP = 40;

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "sock-shop" });
    await cluster.kubectl("apply", "-f", join(ROOT, "demo/2-traffic-management/front-end-dep-v2.yaml"));
    await cluster.kubectl("-n", "sock-shop", "rollout", "status", "deploy/front-end-v2", "--timeout=60s");
    await cluster.kubectl(
      "apply",
      "-f",
      join(ROOT, "demo/2-traffic-management/blue-green/frontv1-virtual-service.yaml"),
    );
    // A shop that still starts is another figure: its own changes compete with those that are measured.
    await cluster.kubectl("-n", "sock-shop", "wait", "deploy", "--all", "--for=condition=Available", "--timeout=60s");
    const connection = loadKubeconfig(readFileSync(cluster.kubeconfig, "utf8"));
    if (!connection.ok) throw new Error(formatProblems(connection.error));
    const client = createKubeClient({ ...connection.value, userAgent: "argyle-bench" });
    const agent = new Agent({ keepAlive: true });
    scope.after(() => {
      client.close();
      agent.destroy();
    });
    const warmUp: number[] = [];
    const samples: number[] = [];
    const rounds = isQuick ? 40 : 240;
    for (let i = 0; i < WARM_UP + rounds; i++) {
      const subset = i % 2 === 0 ? "v2" : "v1";
      const body = { spec: { http: [{ route: [{ destination: { host: "front-end", subset } }] }] } };
      await client.patch(resourceOf("VirtualService"), { namespace: "sock-shop", name: "front-end" }, "merge", body);
      (i < WARM_UP ? warmUp : samples).push(await untilSeen(`${cluster.gateway}/health`, subset, agent));
    }
    note(`${samples.length} changes`);
    return [
      { figure: "changes measured", value: samples.length, unit: "" },
      { figure: "PATCH 200 to first request that follows, p50", value: round(quantile(samples, 0.5)), unit: "ms" },
      { figure: "PATCH 200 to first request that follows, p99", value: round(quantile(samples, 0.99)), unit: "ms" },
      { figure: "PATCH 200 to first request that follows, slowest", value: round(quantile(samples, 1)), unit: "ms" },
      {
        figure: `slowest of the first ${WARM_UP} after a start (not in the others)`,
        value: round(quantile(warmUp, 1)),
        unit: "ms",
      },
    ];
  } finally {
    await scope.close();
  }
}

/** Milliseconds until a probe, one sent every millisecond, was answered by the wanted version. */
function untilSeen(url: string, wanted: string, agent: Agent): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    let isDone = false;
    const finish = (act: () => void) => {
      if (isDone) return;
      isDone = true;
      clearInterval(timer);
      act();
    };
    const timer = setInterval(() => {
      if (performance.now() - started > 5000) finish(() => reject(new Error(`${wanted} was not seen within 5 s`)));
      get(url, { agent }).then(
        (answer) => {
          if (answer.headers["x-shop-version"] === wanted) finish(() => resolve(performance.now() - started));
        },
        (error: unknown) => finish(() => reject(error)),
      );
    }, 1);
  });
}
