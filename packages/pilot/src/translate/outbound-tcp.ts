/**
 * The TCP filter chains of one service port: VirtualService tcp and tls routes where they exist, else straight to the cluster.
 * http routes of a VirtualService never apply here, even when its host is this service.
 */
import type { L4MatchAttributes } from "@argyle/kube-types";
import { selects } from "../model/config.ts";
import { effectivePolicy } from "../model/destination-rule.ts";
import { hostCovers } from "../model/host.ts";
import type { EnvoyMessage } from "../model/json.ts";
import { isTls } from "../model/protocol.ts";
import type { MeshPort, MeshService } from "../model/service.ts";
import { MESH_GATEWAY } from "../model/virtual-service.ts";
import { protoDuration } from "./cluster-policy.ts";
import type { TranslateContext } from "./context.ts";
import { destinationCluster } from "./http-route.ts";
import { clusterName } from "./names.ts";
import { tcpFilters, toCluster, type WeightedCluster } from "./tcp-proxy.ts";

export function outboundTcpChains(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  isWildcard: boolean,
): readonly EnvoyMessage[] {
  const cluster = clusterName("outbound", port.port, undefined, service.hostname);
  const ranges = isWildcard ? cidrRanges(service.addresses) : undefined;
  const chains: EnvoyMessage[] = [];
  if (isTls(port.protocol)) {
    for (const { serverNames, clusters, statPrefix } of tlsRoutes(context, service, port)) {
      chains.push(
        chain(context, service, port, clusters, statPrefix, { server_names: serverNames, prefix_ranges: ranges }),
      );
    }
    // Without a virtual IP only the server name tells this service from the rest of the world.
    if (chains.length === 0 && isWildcard && ranges === undefined) {
      return [chain(context, service, port, toCluster(cluster), cluster, { server_names: [service.hostname] })];
    }
    if (chains.length > 0 && isWildcard) return chains;
  }
  const routed = tcpRoute(context, service, port);
  const clusters = routed ?? toCluster(cluster);
  const match = ranges === undefined ? undefined : { prefix_ranges: ranges };
  return [
    ...chains,
    chain(context, service, port, clusters, routed === undefined ? cluster : statOf(clusters, cluster), match),
  ];
}

function chain(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  clusters: readonly WeightedCluster[],
  statPrefix: string,
  match: EnvoyMessage | undefined,
): EnvoyMessage {
  const policy = effectivePolicy(context.scope.ruleFor(service), undefined, port.port);
  return {
    filter_chain_match: match,
    filters: tcpFilters({
      context,
      traffic: "SIDECAR_OUTBOUND",
      statPrefix,
      clusters,
      idleTimeout: protoDuration(policy.connectionPool?.tcp?.idleTimeout),
      hashSourceIp: policy.loadBalancer?.consistentHash?.useSourceIp === true,
    }),
  };
}

interface TlsChoice {
  readonly serverNames: readonly string[];
  readonly clusters: readonly WeightedCluster[];
  readonly statPrefix: string;
}

function tlsRoutes(context: TranslateContext, service: MeshService, port: MeshPort): readonly TlsChoice[] {
  const out: TlsChoice[] = [];
  for (const vs of context.scope.virtualServices) {
    if (!vs.hosts.some((host) => hostCovers(host, service.hostname))) continue;
    for (const route of vs.spec.tls ?? []) {
      for (const match of route.match) {
        if (!appliesHere(context, match, port)) continue;
        const clusters = weighted(context, route.route ?? [], port.port);
        out.push({ serverNames: match.sniHosts, clusters, statPrefix: statOf(clusters, service.hostname) });
      }
    }
  }
  return out;
}

function tcpRoute(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
): readonly WeightedCluster[] | undefined {
  for (const vs of context.scope.virtualServices) {
    if (!vs.hosts.some((host) => hostCovers(host, service.hostname))) continue;
    for (const route of vs.spec.tcp ?? []) {
      const matches = route.match ?? [];
      if (matches.length > 0 && !matches.some((match) => appliesHere(context, match, port))) continue;
      return weighted(context, route.route ?? [], port.port);
    }
  }
  return undefined;
}

function appliesHere({ node }: TranslateContext, match: L4MatchAttributes, port: MeshPort): boolean {
  if (match.port !== undefined && match.port !== port.port) return false;
  if (match.gateways !== undefined && match.gateways.length > 0 && !match.gateways.includes(MESH_GATEWAY)) return false;
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== node.namespace) return false;
  return selects(match.sourceLabels, node.labels);
}

export function weighted(
  context: TranslateContext,
  routes: readonly {
    readonly destination: {
      readonly host: string;
      readonly subset?: string;
      readonly port?: { readonly number?: number };
    };
    readonly weight?: number;
  }[],
  listenerPort: number,
): readonly WeightedCluster[] {
  return routes.map((route) => ({
    name: destinationCluster(context, route.destination, listenerPort),
    weight: routes.length === 1 ? 1 : (route.weight ?? 0),
  }));
}

/** One destination lends its name to the statistics; several go by the host they stand for. */
function statOf(clusters: readonly WeightedCluster[], otherwise: string): string {
  return clusters.length === 1 ? (clusters[0]?.name ?? otherwise) : otherwise;
}

function cidrRanges(addresses: readonly string[]): readonly EnvoyMessage[] | undefined {
  if (addresses.length === 0) return undefined;
  return addresses.map((address) => {
    const [prefix = "", length] = address.split("/");
    const bits = length === undefined ? (prefix.includes(":") ? 128 : 32) : Number(length);
    return { address_prefix: maskAddress(prefix, bits), prefix_len: bits };
  });
}

/** Envoy compares masked prefixes; equal ranges written differently must give equal matches. */
export function maskAddress(address: string, bits: number): string {
  if (!address.includes(":")) {
    const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    const masked = bits === 0 ? 0 : Math.floor(value / 2 ** (32 - bits)) * 2 ** (32 - bits);
    return [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256).join(".");
  }
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => "0"), ...right];
  const masked = groups.map((group, index) => {
    const keep = Math.min(16, Math.max(0, bits - index * 16));
    return (Number.parseInt(group, 16) & (0xffff << (16 - keep)) & 0xffff).toString(16);
  });
  const last = masked.findLastIndex((group) => group !== "0");
  return last >= 6 ? masked.join(":") : `${masked.slice(0, last + 1).join(":")}::`;
}
