/**
 * The shopping journey (test/locust/locustfile.py) from the real Locust against the shop on the mesh: 10 users, 30 s. An opt-in peer: `locust` is looked for in
 * $LOCUST and on the PATH (`python3 -m venv DIR && DIR/bin/pip install locust`).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";
import { applyShop, SHOPS, waitForShop } from "../shop-deployment.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";

const USERS = 10;
const [OURS] = SHOPS;

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const locust = [process.env.LOCUST, ...(process.env.PATH ?? "").split(":").map((dir) => join(dir, "locust"))].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (locust === undefined) {
    note("left out: no locust in $LOCUST or on the PATH (python3 -m venv DIR && DIR/bin/pip install locust)");
    return [];
  }
  if (withoutKubectl !== false) throw new Error(withoutKubectl);
  if (OURS === undefined) throw new Error("no manifests");
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "mesh" });
    await applyShop(cluster, OURS);
    await waitForShop(cluster);
    const file = join(ROOT, "test/locust/locustfile.py");
    const load = ["--host", cluster.gateway, "--users", `${USERS}`, "--spawn-rate", "5"];
    const args = ["-f", file, "--headless", ...load, "--run-time", isQuick ? "10s" : "30s", "--json"];
    const { stdout, stderr } = await run(locust, args, { env: process.env });
    const entries = readEntries(stdout, stderr);
    for (const { method, name, num_requests, num_failures } of entries)
      note(`${method} ${name}: ${num_requests} requests, ${num_failures} failed`);
    const sum = (of: (entry: Entry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
    const requests = sum((entry) => entry.num_requests);
    return [
      { figure: "locust, requests", value: requests, unit: "" },
      { figure: "locust, failed", value: sum((entry) => entry.num_failures), unit: "" },
      {
        figure: "locust, mean response",
        value: round(sum((entry) => entry.total_response_time) / requests),
        unit: "ms",
      },
      {
        figure: "locust, slowest response",
        value: Math.round(Math.max(...entries.map((e) => e.max_response_time))),
        unit: "ms",
      },
    ];
  } finally {
    await scope.close();
  }
}

/** https://docs.locust.io/en/stable/retrieving-stats.html */
interface Entry {
  readonly method: string;
  readonly name: string;
  readonly num_requests: number;
  readonly num_failures: number;
  readonly total_response_time: number;
  readonly max_response_time: number;
}

function readEntries(stdout: string, stderr: string): readonly Entry[] {
  const from = stdout.indexOf("[");
  if (from === -1) throw new Error(`locust printed no figures:\n${stderr.slice(-2000)}`);
  return JSON.parse(stdout.slice(from)) as readonly Entry[];
}
