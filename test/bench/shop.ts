/**
 * The whole Sock Shop on a running mesh, ours and the originals where ARGYLE_TALK_DIR names them: seconds from `kubectl apply` to all 14 deployments
 * available, memory of the application, weight of the home page, and images/loadtest with 20 customers. The first start of a checkout fills caches and
 * is not counted. The same apply with no pod to start (replicas 0) is what kubectl, the API server and the webhooks need by themselves.
 */

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { get } from "../http.ts";
import { type MiniCluster, ROOT, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";
import { applyShop, SHOPS, type ShopManifests, waitForShop } from "../shop-deployment.ts";
import { type BenchOptions, createScope, type Figure, quantile, round } from "./rig/figure.ts";

const CUSTOMERS = 20;

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  if (withoutKubectl !== false) throw new Error(withoutKubectl);
  const figures: Figure[] = [];
  for (const shop of SHOPS) {
    if (shop.skip !== false) {
      note(`${shop.name}: left out, ${shop.skip}`);
      continue;
    }
    figures.push(...(await ofShop(shop, isQuick, note)), await ofApplyAlone(shop, isQuick));
  }
  return figures;
}

async function ofShop(shop: ShopManifests, isQuick: boolean, note: BenchOptions["note"]): Promise<readonly Figure[]> {
  const applied: number[] = [];
  const available: number[] = [];
  const rest: Figure[] = [];
  const runs = isQuick ? 2 : 4;
  for (let run = 0; run < runs; run++) {
    const scope = createScope();
    try {
      const cluster = await startMiniCluster(scope, { demo: "mesh" });
      const started = performance.now();
      await applyShop(cluster, shop);
      const afterApply = (performance.now() - started) / 1000;
      await waitForShop(cluster);
      const afterAll = (performance.now() - started) / 1000;
      note(
        `${shop.name}, run ${run + 1}: applied after ${afterApply.toFixed(2)} s, available after ${afterAll.toFixed(2)} s`,
      );
      if (run > 0) {
        applied.push(afterApply);
        available.push(afterAll);
      }
      if (run === runs - 1) rest.push(...(await ofRunningShop(cluster, shop, isQuick, note)));
    } finally {
      await scope.close();
    }
  }
  return [
    { figure: `${shop.name}: kubectl apply, median`, value: round(quantile(applied, 0.5), 2), unit: "s" },
    { figure: `${shop.name}: apply to all available, median`, value: round(quantile(available, 0.5), 2), unit: "s" },
    { figure: `${shop.name}: apply to all available, slowest`, value: round(quantile(available, 1), 2), unit: "s" },
    ...rest,
  ];
}

/** `kubectl apply` of all the objects, with Deployments that want no pod. */
async function ofApplyAlone(shop: ShopManifests, isQuick: boolean): Promise<Figure> {
  const dir = mkdtempSync(join(tmpdir(), "ag-bench-idle-"));
  const seconds: number[] = [];
  try {
    cpSync(join(shop.dir, "1-deploy-app"), join(dir, "1-deploy-app"), { recursive: true });
    withoutReplicas(join(dir, "1-deploy-app/manifests"));
    for (let run = 0; run < (isQuick ? 1 : 3); run++) {
      const scope = createScope();
      try {
        const cluster = await startMiniCluster(scope, { demo: "mesh" });
        const started = performance.now();
        await applyShop(cluster, { ...shop, dir });
        seconds.push((performance.now() - started) / 1000);
      } finally {
        await scope.close();
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return {
    figure: `${shop.name}: kubectl apply with replicas 0, median`,
    value: round(quantile(seconds, 0.5), 2),
    unit: "s",
  };
}

function withoutReplicas(dir: string): void {
  for (const name of readdirSync(dir)) {
    const documents = parseAllDocuments(readFileSync(join(dir, name), "utf8"));
    for (const document of documents) {
      if (document.get("kind") === "Deployment") document.setIn(["spec", "replicas"], 0);
    }
    writeFileSync(join(dir, name), documents.map(String).join("---\n"));
  }
}

async function ofRunningShop(
  cluster: MiniCluster,
  { name }: ShopManifests,
  isQuick: boolean,
  note: BenchOptions["note"],
): Promise<readonly Figure[]> {
  const home = await weigh(cluster.gateway);
  const quiet = await applicationMegabytes(cluster);
  const report = await runLoadtest(cluster.gateway, isQuick ? 10 : 30);
  note(report);
  const load = readTotal(report);
  return [
    { figure: `${name}: memory of the 14 pods, before load`, value: quiet, unit: "MB" },
    { figure: `${name}: memory of the 14 pods, after load`, value: await applicationMegabytes(cluster), unit: "MB" },
    { figure: `${name}: home page, document`, value: home.document, unit: "bytes" },
    { figure: `${name}: home page with all it links`, value: home.total, unit: "bytes" },
    { figure: `${name}: load, requests`, value: load.requests, unit: "" },
    { figure: `${name}: load, failed`, value: load.failed, unit: "" },
    { figure: `${name}: load, p50`, value: load.p50, unit: "ms" },
    { figure: `${name}: load, p99`, value: load.p99, unit: "ms" },
  ];
}

/** Proportional set size of every container of the shop with its children: what a sidecar needs is in the worker. */
async function applicationMegabytes(cluster: MiniCluster): Promise<number> {
  const { processes } = JSON.parse((await cluster.argyle("status", "-o", "json")).stdout) as {
    readonly processes: readonly { readonly name: string; readonly pssBytes: number }[];
  };
  const own = processes.filter((each) => each.name.startsWith("sock-shop/"));
  return round(own.reduce((sum, { pssBytes }) => sum + pssBytes, 0) / 1024 / 1024);
}

/** The document and every script, style and picture that its markup names, each once. */
async function weigh(gateway: string): Promise<{ readonly document: number; readonly total: number }> {
  const { body } = await get(`${gateway}/`);
  const links = new Set(
    [...body.matchAll(/(?:src|href)="(\/[^":#]+\.(?:js|css|svg|png|jpe?g|ico|webp)(?:\?[^"#]*)?)"/g)].map(
      (match) => match[1],
    ),
  );
  if (links.size === 0) throw new Error(`the home page links no script, style or picture:\n${body}`);
  const document = Buffer.byteLength(body);
  let total = document;
  for (const link of links) {
    const answer = await get(new URL(link ?? "", `${gateway}/`).href);
    if (answer.status !== 200) throw new Error(`${link}: ${answer.status}`);
    total += Buffer.byteLength(answer.body);
  }
  return { document, total };
}

/** Its exit code is 1 when a request failed, which the report says too. */
function runLoadtest(gateway: string, seconds: number): Promise<string> {
  const program = join(ROOT, "dist/images/loadtest/main.cjs");
  const args = [
    "--host",
    gateway,
    "--users",
    `${CUSTOMERS}`,
    "--spawn-rate",
    "20",
    "--run-time",
    `${seconds}s`,
    "--headless",
  ];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...args], { timeout: (seconds + 60) * 1000 }, (error, stdout, stderr) => {
      if (error === null || error.code === 1) resolve(stdout);
      else reject(new Error(`loadtest ended with ${error.code}: ${stderr}`));
    });
  });
}

/** The line `all` of the last table: requests, failed, req/s, avg, p50, p90, p95, p99, max, p99 service. */
function readTotal(report: string): {
  readonly requests: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
} {
  const line = report.split("\n").findLast((each) => /^all\s/.test(each));
  if (line === undefined) throw new Error(`loadtest printed no total:\n${report}`);
  const [requests = Number.NaN, failed = Number.NaN, , , p50 = Number.NaN, , , p99 = Number.NaN] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { requests, failed, p50, p99 };
}
