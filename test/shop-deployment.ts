/** The Sock Shop on a mesh, installed with kubectl as the talk does: which manifests there are, what runs afterwards, and who talks to whom. */
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type MiniCluster, ROOT } from "./mini-cluster.ts";

export interface ShopManifests {
  readonly name: string;
  readonly dir: string;
  readonly skip: string | false;
  /** The port of a store that is MongoDB in the original; ours are PostgreSQL in name too. */
  readonly storePort: number;
  /** Whether broker and stores keep their data on a volume over a container's death. */
  readonly isDurable: boolean;
}

const talk = process.env.ARGYLE_TALK_DIR;
export const SHOPS: readonly ShopManifests[] = [
  { name: "our manifests", dir: join(ROOT, "demo"), skip: false, storePort: 5432, isDurable: true },
  {
    name: "the original manifests",
    dir: talk ?? "",
    skip:
      talk === undefined
        ? "ARGYLE_TALK_DIR is not set"
        : existsSync(join(talk, "1-deploy-app"))
          ? false
          : `no 1-deploy-app in ARGYLE_TALK_DIR ${talk}`,
    storePort: 27017,
    isDurable: false,
  },
];

export const DEPLOYMENTS: readonly string[] = [
  "carts",
  "carts-db",
  "catalogue",
  "catalogue-db",
  "front-end",
  "orders",
  "orders-db",
  "payment",
  "queue-master",
  "rabbitmq",
  "session-db",
  "shipping",
  "user",
  "user-db",
];

/** The namespace first, as the talk's step 0. Returns as soon as everything is applied. */
export async function applyShop(cluster: MiniCluster, { dir }: ShopManifests): Promise<void> {
  const from = join(dir, "1-deploy-app");
  await cluster.kubectl("apply", "-f", join(from, "manifests/sock-shop-ns.yaml"));
  await cluster.kubectl("apply", "-f", join(from, "manifests"), "-f", from);
}

/** Returns the names of the deployments when all are available. */
export async function waitForShop(cluster: MiniCluster): Promise<readonly string[]> {
  const shop = ["-n", "sock-shop"];
  await cluster.kubectl(...shop, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=100s");
  const names = await cluster.kubectl(...shop, "get", "deployments", "-o", "jsonpath={.items[*].metadata.name}");
  return names.trim().split(/\s+/).sort();
}

export interface ShopPod {
  /** Of the deployment. */
  readonly name: string;
  readonly podName: string;
  readonly ip: string;
  readonly isReady: boolean;
  readonly restarts: number;
}

export async function shopPods(cluster: MiniCluster): Promise<readonly ShopPod[]> {
  const text = await cluster.kubectl("-n", "sock-shop", "get", "pods", "-o", "json");
  const { items } = JSON.parse(text) as { readonly items: readonly PodObject[] };
  return items.map(({ metadata, status }) => ({
    name: metadata.labels.name,
    podName: metadata.name,
    ip: status.podIP,
    isReady: status.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
    restarts: status.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
  }));
}

interface PodObject {
  readonly metadata: { readonly name: string; readonly labels: { readonly name: string } };
  readonly status: {
    readonly podIP: string;
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses: readonly { readonly restartCount: number }[];
  };
}

/**
 * `http front-end → carts` for every edge that the sidecars of the shop count as destination, sorted: what a service graph is drawn from. The gateway is a
 * source only, so its edge is seen by front-end's sidecar.
 */
export async function serviceGraph(cluster: MiniCluster): Promise<readonly string[]> {
  const edges = new Set<string>();
  for (const { ip } of await shopPods(cluster)) {
    for (const line of (await scrape(join(cluster.runDir, ip, "15020.sock"))).split("\n")) {
      const metric = /^istio_(requests|tcp_connections_opened)_total\{(.*)\} (\S+)$/.exec(line);
      const labels = metric?.[2] ?? "";
      if (metric === null || Number(metric[3]) <= 0 || label(labels, "reporter") !== "destination") continue;
      const kind = metric[1] === "requests" ? "http" : "tcp";
      edges.add(`${kind} ${label(labels, "source_workload")} → ${label(labels, "destination_workload")}`);
    }
  }
  return [...edges].sort();
}

function label(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}

function scrape(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: "/stats/prometheus", agent: false, timeout: 5000 }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("end", () =>
        incoming.statusCode === 200
          ? resolve(text)
          : reject(new Error(`${socketPath}: ${incoming.statusCode} ${text}`)),
      );
      incoming.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${socketPath} does not answer`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
