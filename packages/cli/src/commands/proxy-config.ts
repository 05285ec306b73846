/**
 * `argyle proxy-config listeners|routes|clusters|endpoints|secret|bootstrap|log|all POD[.NAMESPACE]` (and `istioctl proxy-config`, `pc`): what one
 * proxy holds, from its own admin page.
 */
import { formatFlags, MeshError, type ParsedOptions, parseOptions, systemClock } from "@argyle/core";
import { type Pod, resourceOf } from "@argyle/kube-types";
import { createPodNetwork } from "@argyle/pod-network";
import { connectApi } from "../api.ts";
import { type Command, type CommandContext, GLOBAL_FLAGS, usageError } from "../command.ts";
import { EXIT } from "../exit.ts";
import { requireRunning } from "../instance.ts";
import { fetchOverPodNetwork } from "../pod-http.ts";
import { type ClusterStatuses, type ConfigDump, sectionOf } from "../proxy-config/config-view.ts";
import { listenerRows } from "../proxy-config/listener-table.ts";
import { clusterRows, endpointRows, routeRows, secretRows } from "../proxy-config/resource-tables.ts";
import { formatTable } from "../table.ts";

const FLAGS = {
  ...GLOBAL_FLAGS,
  output: { kind: "string", alias: "o", oneOf: ["short", "json"], help: "form of the output" },
  namespace: { kind: "string", alias: "n", help: "namespace of the pod (default: default)" },
  port: { kind: "number", help: "only this port" },
  address: { kind: "string", help: "only this address" },
  name: { kind: "string", help: "only the route configuration of this name" },
  fqdn: { kind: "string", help: "only clusters of this host" },
  subset: { kind: "string", help: "only clusters of this subset" },
  direction: { kind: "string", oneOf: ["inbound", "outbound"], help: "only clusters of this direction" },
  cluster: { kind: "string", help: "only endpoints of this cluster" },
  level: { kind: "string", help: "log: sets the level (debug, info, warning, error)" },
} as const;
type Flags = ParsedOptions<typeof FLAGS>["flags"];

const ADMIN = 15_000;
const ALIASES: Readonly<Record<string, string>> = {
  l: "listeners",
  listener: "listeners",
  r: "routes",
  route: "routes",
  c: "clusters",
  cluster: "clusters",
  e: "endpoints",
  endpoint: "endpoints",
  s: "secret",
  secrets: "secret",
  b: "bootstrap",
};

export const proxyConfig: Command = {
  name: "proxy-config",
  summary: "what one proxy holds: listeners, routes, clusters, endpoints, secret, bootstrap, log (istioctl's tables)",
  usage: `argyle proxy-config WHAT POD[.NAMESPACE] [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, context) {
    const options = parseOptions(argv, FLAGS);
    if (!options.ok) throw usageError("proxy-config", options.error);
    const [given = "", pod, ...more] = [...options.value.positionals, ...options.value.rest];
    const what = ALIASES[given] ?? given;
    const view = VIEWS[what];
    if (view === undefined)
      throw usageError("proxy-config", [{ path: given, message: `must be one of ${Object.keys(VIEWS).join(", ")}` }]);
    if (pod === undefined || more.length > 0)
      throw usageError("proxy-config", [{ path: "", message: "needs one POD[.NAMESPACE]" }]);
    const { flags } = options.value;
    const get = await openAdmin(context, pod, flags.namespace ?? "default");
    context.terminal.out(`${await view(get, flags)}\n`);
    return EXIT.ok;
  },
};

type Get = (path: string, method?: "GET" | "POST") => Promise<string>;
type View = (get: Get, flags: Flags) => Promise<string>;

async function dumpOf(get: Get): Promise<ConfigDump> {
  return JSON.parse(await get("/config_dump?include_eds")) as ConfigDump;
}

function show(flags: Flags, raw: unknown, rows: readonly (readonly string[])[]): string {
  return flags.output === "json" ? JSON.stringify(raw, undefined, 2) : formatTable(rows);
}

const VIEWS: Readonly<Record<string, View>> = {
  async listeners(get, flags) {
    const states = sectionOf<{ readonly listener?: object }>(await dumpOf(get), "dynamic_listeners", "active_state");
    const listeners = states.flatMap(({ listener }) => (listener === undefined ? [] : [listener]));
    return show(flags, listeners, listenerRows(listeners, { port: flags.port, address: flags.address }));
  },
  async routes(get, flags) {
    const dump = await dumpOf(get);
    const routes = ["dynamic_route_configs", "static_route_configs"].flatMap((section) =>
      sectionOf<object>(dump, section, "route_config"),
    );
    return show(flags, routes, routeRows(routes, flags.name));
  },
  async clusters(get, flags) {
    const clusters = sectionOf<object>(await dumpOf(get), "dynamic_active_clusters", "cluster");
    const { fqdn, port, subset, direction } = flags;
    return show(flags, clusters, clusterRows(clusters, { fqdn, port, subset, direction }));
  },
  async endpoints(get, flags) {
    const statuses = JSON.parse(await get("/clusters?format=json")) as ClusterStatuses;
    const { cluster, address, port } = flags;
    return show(flags, statuses.cluster_statuses ?? [], endpointRows(statuses, { cluster, address, port }));
  },
  async secret(get, flags) {
    const secrets = sectionOf<object>(await dumpOf(get), "dynamic_active_secrets", "secret");
    return show(flags, secrets, secretRows(secrets, systemClock.now()));
  },
  async bootstrap(get) {
    const [found] = sectionOf<object>({ configs: [{ all: (await dumpOf(get)).configs ?? [] }] }, "all", "bootstrap");
    return JSON.stringify(found ?? {}, undefined, 2);
  },
  async log(get, flags) {
    const path = flags.level === undefined ? "/logging" : `/logging?level=${encodeURIComponent(flags.level)}`;
    return (await get(path, "POST")).trimEnd();
  },
  async all(get, flags) {
    if (flags.output === "json") return JSON.stringify(await dumpOf(get), undefined, 2);
    const names = ["listeners", "routes", "clusters", "endpoints", "secret"];
    const parts = await Promise.all(names.map((name) => VIEWS[name]?.(get, flags)));
    return parts.join("\n\n");
  },
};

/** `front-end-abc.sock-shop`, `pod/front-end-abc -n sock-shop`, `deploy/front-end` (its first pod). */
async function openAdmin({ instance }: CommandContext, text: string, namespaceFlag: string): Promise<Get> {
  (await requireRunning(instance)).close();
  const [kind, rest] = text.includes("/") ? (text.split("/", 2) as [string, string]) : ["pod", text];
  const dot = rest.indexOf(".");
  const [name, namespace] = dot === -1 ? [rest, namespaceFlag] : [rest.slice(0, dot), rest.slice(dot + 1)];
  const client = connectApi(instance);
  try {
    const { items } = await client.list<Pod>(resourceOf("Pod"), namespace, {});
    const isPod = kind === "pod" || kind === "pods" || kind === "po";
    const found = items.find(({ metadata, status }) => {
      if (status?.podIP === undefined) return false;
      return isPod ? metadata.name === name : metadata.name.replace(/-[a-z0-9]+-[a-z0-9]+$/, "") === name;
    });
    const ip = found?.status?.podIP;
    if (ip === undefined)
      throw new MeshError(`there is no running pod ${name} in namespace ${namespace}`, {
        code: "pod.not-found",
        advice: `look at: ./argyle kubectl get pods -n ${namespace}`,
      });
    const network = createPodNetwork({ runDir: instance.runDir });
    return (path, method) => fetchOverPodNetwork(network, ip, ADMIN, path, method);
  } finally {
    client.close();
  }
}
