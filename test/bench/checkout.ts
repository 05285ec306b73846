/**
 * The shop under load, on the mesh: 20 customers check out as fast as answers come, for 60 s; then every container of the 14 workloads is killed once with
 * SIGKILL, 15 s apart. Afterwards orders, payments, shipments and stock are compared (test/shop-books.ts); a difference ends the bench.
 */
import { setTimeout as delay } from "node:timers/promises";
import { startCheckouts } from "../checkout-load.ts";
import { startMiniCluster, withoutKubectl } from "../mini-cluster.ts";
import { closeBooks, openBooks } from "../shop-books.ts";
import { applyShop, DEPLOYMENTS, SHOPS, waitForShop } from "../shop-deployment.ts";
import { describeErrors, killUnderLoad } from "../shop-outage.ts";
import { createShopper } from "../shopper.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";

const CUSTOMERS = 20;
const [OURS] = SHOPS;

export async function bench(options: BenchOptions): Promise<readonly Figure[]> {
  if (withoutKubectl !== false) throw new Error(withoutKubectl);
  if (OURS === undefined) throw new Error("no manifests");
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "mesh" });
    await applyShop(cluster, OURS);
    await waitForShop(cluster);
    const guest = createShopper(cluster.gateway);
    scope.after(() => guest.close());
    return [...(await inPeace(cluster, guest, options)), ...(await withDeaths(cluster, guest, options))];
  } finally {
    await scope.close();
  }
}

type Cluster = Awaited<ReturnType<typeof startMiniCluster>>;
type Guest = ReturnType<typeof createShopper>;

async function inPeace(cluster: Cluster, guest: Guest, { isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const seconds = isQuick ? 10 : 60;
  const books = openBooks(cluster, await guest.socks());
  const load = await startCheckouts(cluster.gateway, CUSTOMERS);
  await delay(seconds * 1000);
  const customers = await load.stop();
  const errors = load.takeErrors();
  const counts = await closeBooks(cluster, books, customers);
  for (const { shopper } of customers) shopper.close();
  note(`nothing dies, ${seconds} s: ${describeErrors(errors)}; ${JSON.stringify(counts)}`);
  assertNoProblem(counts.problems);
  return [
    { figure: "nothing dies: checkouts a second", value: round(counts.acknowledged / seconds), unit: "" },
    { figure: "nothing dies: acknowledged", value: counts.acknowledged, unit: "" },
    { figure: "nothing dies: requests that failed", value: sumOf(errors), unit: "" },
    { figure: "nothing dies: shipments missing", value: counts.shipmentsMissing, unit: "" },
  ];
}

async function withDeaths(cluster: Cluster, guest: Guest, { isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const apartMs = isQuick ? 0 : 15_000;
  const books = openBooks(cluster, await guest.socks());
  const load = await startCheckouts(cluster.gateway, CUSTOMERS);
  const victims = DEPLOYMENTS.flatMap((workload) =>
    workload === "rabbitmq"
      ? [
          [workload, "rabbitmq"],
          [workload, "rabbitmq-exporter"],
        ]
      : [[workload, workload]],
  );
  const figures: Figure[] = [];
  for (const [workload = "", container = ""] of victims) {
    const started = performance.now();
    const { readySeconds, backSeconds, errors } = await killUnderLoad(cluster, workload, load, container);
    note(
      `${container}: ready after ${readySeconds.toFixed(1)} s, all customers on after ${backSeconds.toFixed(1)} s; ${describeErrors(errors)}`,
    );
    figures.push({
      figure: `${container} killed: all customers check out again`,
      value: round(backSeconds),
      unit: "s",
    });
    figures.push({ figure: `${container} killed: requests that failed`, value: sumOf(errors), unit: "" });
    await delay(Math.max(0, apartMs - (performance.now() - started)));
  }
  const customers = await load.stop();
  const counts = await closeBooks(cluster, books, customers);
  for (const { shopper } of customers) shopper.close();
  note(JSON.stringify(counts));
  assertNoProblem(counts.problems);
  return [
    ...figures,
    { figure: "15 kills: checkouts", value: counts.checkouts, unit: "" },
    { figure: "15 kills: acknowledged", value: counts.acknowledged, unit: "" },
    { figure: "15 kills: acknowledged and lost, or paid twice", value: counts.problems.length, unit: "" },
    { figure: "15 kills: payments taken back", value: counts.takenBack, unit: "" },
    { figure: "15 kills: shipments missing", value: counts.shipmentsMissing, unit: "" },
  ];
}

function assertNoProblem(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`the books do not balance:\n${problems.slice(0, 20).join("\n")}`);
}

function sumOf(errors: Readonly<Record<string, number>>): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}
