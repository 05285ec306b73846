/**
 * RDS of sidecars: one route configuration per HTTP port (`80`), or per service and port where the protocol is sniffed (`host:8080`).
 * Which VirtualService a service gets: the one with the most specific host, the oldest among equals.
 */
import { hostCovers, hostSpecificity } from "../model/host.ts";
import type { EnvoyMessage } from "../model/json.ts";
import { isHttp } from "../model/protocol.ts";
import { type MeshService, portOf } from "../model/service.ts";
import { MESH_GATEWAY, type VirtualServiceConfig } from "../model/virtual-service.ts";
import type { TranslateContext } from "./context.ts";
import { defaultRoute, virtualServiceRoutes } from "./http-route.ts";
import { BLACKHOLE_CLUSTER, PASSTHROUGH_CLUSTER } from "./names.ts";
import { domainsOf } from "./virtual-host.ts";

const MESH: ReadonlySet<string> = new Set([MESH_GATEWAY]);

export function sidecarRoute(context: TranslateContext, routeName: string): EnvoyMessage | undefined {
  const colon = routeName.lastIndexOf(":");
  const port = Number(colon === -1 ? routeName : routeName.slice(colon + 1));
  if (!Number.isInteger(port) || port <= 0) return undefined;
  let hosts = outboundVirtualHosts(context, port);
  if (colon !== -1) {
    // The listener is the service's own: whatever name is asked for, it is this service.
    const [own] = hosts.filter((host) => host.name === routeName);
    hosts = own === undefined ? [] : [{ ...own, domains: ["*"] }];
  }
  const isCaughtAlready = hosts.some((host) => Array.isArray(host.domains) && host.domains.includes("*"));
  return {
    name: routeName,
    virtual_hosts: isCaughtAlready ? hosts : [...hosts, catchAll(context)],
    validate_clusters: false,
    max_direct_response_body_size_bytes: 1_048_576,
    ignore_port_in_host_matching: true,
  };
}

export function outboundVirtualHosts(context: TranslateContext, port: number): readonly EnvoyMessage[] {
  const { scope } = context;
  const services = scope.services.filter((service) => {
    const found = portOf(service, port);
    return found !== undefined && (isHttp(found.protocol) || found.protocol === "Auto");
  });
  const out: EnvoyMessage[] = [];
  const usedDomains = new Set<string>();
  const served = new Set<string>();
  const add = (hostname: string, domains: readonly string[], routes: readonly EnvoyMessage[]) => {
    const free = domains.filter((domain) => !usedDomains.has(domain));
    if (free.length === 0) return;
    for (const domain of free) usedDomains.add(domain);
    out.push({ name: `${hostname}:${port}`, domains: free, include_request_attempt_count: true, routes });
  };
  const aliasesOf = (service: MeshService) => context.state.aliases.get(service.hostname) ?? [];
  const owners = new Map(
    services.map((service) => [service.hostname, ownerOf(scope.virtualServices, service.hostname)]),
  );

  for (const vs of scope.virtualServices) {
    const routes = virtualServiceRoutes(vs, { context, port, gateways: MESH });
    if (routes.length === 0) continue;
    const owned = services.filter((service) => owners.get(service.hostname) === vs);
    for (const service of owned) {
      served.add(service.hostname);
      add(service.hostname, domainsOf(service, scope.namespace, []), routes);
    }
    // Hosts that no service stands behind are only known to be HTTP on port 80.
    if (port !== 80) continue;
    for (const host of vs.hosts) {
      if (scope.servicesByHost.has(host) || host === "*") continue;
      if (host.startsWith("*") && scope.services.some((service) => hostCovers(host, service.hostname))) {
        if (owned.some((service) => hostCovers(host, service.hostname))) continue;
        if (services.some((service) => hostCovers(host, service.hostname))) continue;
      }
      add(host, [host], routes);
    }
  }
  for (const service of services) {
    const found = portOf(service, port);
    if (served.has(service.hostname) || found === undefined) continue;
    add(service.hostname, domainsOf(service, scope.namespace, aliasesOf(service)), [
      defaultRoute(context, service, found),
    ]);
  }
  return out;
}

function ownerOf(list: readonly VirtualServiceConfig[], hostname: string): VirtualServiceConfig | undefined {
  let best: { readonly vs: VirtualServiceConfig; readonly rank: number } | undefined;
  for (const vs of list) {
    if ((vs.spec.http ?? []).length === 0) continue;
    for (const host of vs.hosts) {
      if (!hostCovers(host, hostname)) continue;
      const rank = hostSpecificity(host);
      if (best === undefined || rank > best.rank) best = { vs, rank };
    }
  }
  return best?.vs;
}

function catchAll({ scope }: TranslateContext): EnvoyMessage {
  if (scope.outboundTrafficMode === "REGISTRY_ONLY") {
    return {
      name: "block_all",
      domains: ["*"],
      include_request_attempt_count: true,
      routes: [{ name: "block_all", match: { prefix: "/" }, direct_response: { status: 502 } }],
    };
  }
  return {
    name: "allow_any",
    domains: ["*"],
    include_request_attempt_count: true,
    routes: [
      {
        name: "allow_any",
        match: { prefix: "/" },
        route: { cluster: PASSTHROUGH_CLUSTER, timeout: "0s", max_grpc_timeout: "0s" },
      },
    ],
  };
}

/** Where bytes go that no service claims. */
export function unclaimedCluster({ scope }: TranslateContext): string {
  return scope.outboundTrafficMode === "REGISTRY_ONLY" ? BLACKHOLE_CLUSTER : PASSTHROUGH_CLUSTER;
}
