/**
 * Load through gateway → sidecar → sidecar while the configuration changes and every certificate is renewed, then while pods are killed.
 * Ten minutes with 1,000 changes (`--quick`: two with 200), certificates of 50 s, renewed at half of it. No request may fail in the first part; in the
 * second only requests that were under way when a pod was killed. Memory of both workers is read all along: its slope is a figure.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatProblems } from "@argyle/core";
import { createKubeClient, type KubeClient, loadKubeconfig } from "@argyle/kube-client";
import { resourceOf } from "@argyle/kube-types";
import { type BenchOptions, createScope, type Figure, round } from "../bench/rig/figure.ts";
import { endOf, type MiniCluster, startMiniCluster } from "../mini-cluster.ts";
import { type OpenLoad, startOpenLoad } from "./parts/open-load.ts";
import { processorSeconds, residentMegabytes } from "./parts/resident-memory.ts";
import { slopePerMinute } from "./parts/slope.ts";

const RATE = Number(process.env.ARGYLE_SOAK_RATE ?? 100);
const NAMESPACE = "sock-shop";
const CERTIFICATE_TTL = "50s";
const KILLS = Number(process.env.ARGYLE_SOAK_KILLS ?? 5);
const WORKERS = ["worker-sidecars", "worker-gateways"] as const;
const SHORT_LIVED = { name: "istio-proxy", image: "auto", env: [{ name: "SECRET_TTL", value: CERTIFICATE_TTL }] };

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const minutes = isQuick ? 2 : Number(process.env.ARGYLE_SOAK_MINUTES ?? 10);
  const scope = createScope();
  try {
    const cluster = await startMiniCluster(scope, { demo: "sock-shop" });
    const client = connect(cluster);
    scope.after(() => client.close());
    await prepare(cluster);
    const url = `${cluster.gateway}/catalogue?size=3`;
    note(`${RATE} requests/s for ${minutes} minutes`);
    const workers = await Promise.all(WORKERS.map((name) => cluster.pidOf(name)));
    const memory = workers.map((): { minute: number; megabytes: number }[] => []);
    const started = performance.now();
    const reading = setInterval(() => {
      const minute = (performance.now() - started) / 60_000;
      for (const [i, pid] of workers.entries()) memory[i]?.push({ minute, megabytes: residentMegabytes(pid) });
    }, 2000);
    scope.after(() => clearInterval(reading));
    const serials = await serialNumbers(cluster);
    const processorBefore = workers.map(processorSeconds);
    const load = startOpenLoad(url, RATE);
    const changes = await changeConfiguration(client, minutes * 60_000, minutes * 100);
    const first = await load.stop();
    const processor = workers.map((pid, i) => processorSeconds(pid) - (processorBefore[i] ?? 0));
    clearInterval(reading);
    const rotations = rotationsOf(await serialNumbers(cluster), serials);
    note(`part 1: ${first.sent} sent, ${first.failures.length} failed`);
    const second = await killPods(cluster, url, note);
    for (const [i, name] of WORKERS.entries())
      if ((await cluster.pidOf(name)) !== workers[i])
        note(`${name} was restarted:\n${endOf(join(cluster.stateDir, "logs", `${name}.log`), 60)}`);
    const unexplained = second.load.failures.filter(
      ({ startedAt, endedAt }) => !second.kills.some(({ from, to }) => startedAt <= to + GRACE_MS && endedAt >= from),
    );
    const figures: Figure[] = [
      { figure: "changes of VirtualService and DestinationRule", value: changes, unit: "" },
      { figure: "certificate renewals of each proxy, at least", value: rotations, unit: "" },
      { figure: "requests sent", value: first.sent, unit: "" },
      { figure: "requests failed", value: first.failures.length, unit: "" },
      { figure: "slowest request", value: round(first.slowestMs), unit: "ms" },
      { figure: "with pod kills: requests sent", value: second.load.sent, unit: "" },
      {
        figure: "with pod kills: failed while the pod was killed",
        value: second.load.failures.length - unexplained.length,
        unit: "",
      },
      { figure: "with pod kills: failed at another time", value: unexplained.length, unit: "" },
      ...["sidecars", "gateways"].map((name, i) => ({
        figure: `processor time of the worker of the ${name}, of one core`,
        value: round((processor[i] ?? 0) / (minutes * 0.6)),
        unit: "%",
      })),
      ...["sidecars", "gateways"].map((name, i) => ({
        figure: `memory of the worker of the ${name}, slope after the first quarter`,
        value: round(slopePerMinute(memory[i] ?? [], minutes / 4), 2),
        unit: "MB/min",
      })),
      ...["sidecars", "gateways"].map((name, i) => ({
        figure: `memory of the worker of the ${name}, at the end`,
        value: round(memory[i]?.at(-1)?.megabytes ?? 0),
        unit: "MB",
      })),
    ];
    for (const { what, startedAt, endedAt } of [...first.failures, ...unexplained].slice(0, 20))
      note(
        `failed ${((startedAt - started) / 1000).toFixed(1)} s after the start, in ${(endedAt - startedAt).toFixed(0)} ms: ${what}`,
      );
    if (first.failures.length > 0 || unexplained.length > 0)
      throw new Error(figures.map(({ figure, value }) => `${figure}: ${value}`).join("\n"));
    return figures;
  } finally {
    await scope.close();
  }
}

/** A request that reached the pod in the moment of its death, seen from outside. */
const GRACE_MS = 50;

interface Kill {
  readonly from: number;
  readonly to: number;
}

function connect(cluster: MiniCluster): KubeClient {
  const connection = loadKubeconfig(readFileSync(cluster.kubeconfig, "utf8"));
  if (!connection.ok) throw new Error(formatProblems(connection.error));
  return createKubeClient({ ...connection.value, userAgent: "argyle-soak" });
}

/** Two pods of each hop, short-lived certificates everywhere on the way, and subsets to change between. */
async function prepare(cluster: MiniCluster): Promise<void> {
  const shortLived = JSON.stringify({ spec: { template: { spec: { containers: [SHORT_LIVED] } } } });
  for (const name of ["front-end", "catalogue"]) {
    await cluster.kubectl("-n", NAMESPACE, "patch", "deploy", name, "-p", shortLived);
    await cluster.kubectl("-n", NAMESPACE, "scale", "deploy", name, "--replicas=2");
  }
  const gateway = JSON.stringify({
    spec: { template: { spec: { containers: [{ ...SHORT_LIVED, image: undefined }] } } },
  });
  await cluster.kubectl("-n", "istio-system", "patch", "deploy", "istio-ingressgateway", "-p", gateway);
  for (const name of ["front-end", "catalogue"])
    await cluster.kubectl("-n", NAMESPACE, "rollout", "status", `deploy/${name}`, "--timeout=90s");
  await cluster.kubectl("-n", "istio-system", "rollout", "status", "deploy/istio-ingressgateway", "--timeout=90s");
  await cluster.tryKubectl(["apply", "-f", "-"], { input: MANIFESTS });
}

const MANIFESTS = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: soak-catalogue, namespace: ${NAMESPACE} }
spec:
  hosts: [catalogue]
  http:
  - route: [{ destination: { host: catalogue } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: soak-catalogue, namespace: ${NAMESPACE} }
spec:
  host: catalogue
  trafficPolicy: { connectionPool: { tcp: { maxConnections: 1000 } } }
`;

/** Spread evenly over the time; each changes what the proxies of the path are given. */
async function changeConfiguration(client: KubeClient, forMs: number, count: number): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    const due = started + (forMs * i) / count;
    await sleep(Math.max(0, due - performance.now()));
    const where = { namespace: NAMESPACE, name: "soak-catalogue" };
    if (i % 2 === 0) {
      const route = { timeout: `${10 + (i % 7)}s`, headers: { request: { set: { "x-soak": String(i) } } } };
      const http = [{ ...route, route: [{ destination: { host: "catalogue" } }] }];
      await client.patch(resourceOf("VirtualService"), where, "merge", { spec: { http } });
    } else {
      const pool = { tcp: { maxConnections: 1000 + (i % 100) }, http: { http1MaxPendingRequests: 1000 + (i % 50) } };
      await client.patch(resourceOf("DestinationRule"), where, "merge", {
        spec: { trafficPolicy: { connectionPool: pool } },
      });
    }
  }
  await sleep(Math.max(0, started + forMs - performance.now()));
  return count;
}

/** Of the certificate that each proxy of the path uses now. */
async function serialNumbers(cluster: MiniCluster): Promise<ReadonlyMap<string, string>> {
  const pods: string[] = [];
  for (const [namespace, selector] of [
    [NAMESPACE, "name=front-end"],
    [NAMESPACE, "name=catalogue"],
    ["istio-system", "app=istio-ingressgateway"],
  ] as const) {
    const names = await cluster.kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "name");
    pods.push(
      ...names
        .split("\n")
        .filter(Boolean)
        .map((name) => `${namespace}/${name}`),
    );
  }
  const serials = new Map<string, string>();
  for (const pod of pods) {
    const [namespace = "", ...name] = pod.split("/");
    const text = await cluster.kubectl("-n", namespace, "logs", name.join("/"), "-c", "istio-proxy");
    serials.set(pod, String(text.split("workload certificate issued").length - 1));
  }
  return serials;
}

/** The fewest renewals that any proxy has made. */
function rotationsOf(now: ReadonlyMap<string, string>, before: ReadonlyMap<string, string>): number {
  return Math.min(...[...now].map(([pod, count]) => Number(count) - Number(before.get(pod) ?? 0)));
}

async function killPods(
  cluster: MiniCluster,
  url: string,
  note: (text: string) => void,
): Promise<{ readonly load: Awaited<ReturnType<OpenLoad["stop"]>>; readonly kills: readonly Kill[] }> {
  const load = startOpenLoad(url, RATE);
  const kills: Kill[] = [];
  for (let i = 0; i < KILLS; i++) {
    await sleep(6000);
    const names = await cluster.kubectl("-n", NAMESPACE, "get", "pods", "-l", "name=catalogue", "-o", "name");
    const [victim = ""] = names.split("\n");
    const from = performance.now();
    await cluster.kubectl("-n", NAMESPACE, "delete", victim, "--grace-period=0", "--force", "--wait=false");
    kills.push({ from, to: performance.now() });
    await cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deploy/catalogue", "--timeout=60s");
    note(`killed ${victim}`);
  }
  await sleep(6000);
  return { load: await load.stop(), kills };
}
