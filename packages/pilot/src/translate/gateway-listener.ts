/** LDS of gateways: one listener per port, with a filter chain per TLS server (by server name) or one HTTP chain for all plain servers. */
import { hostsOverlap } from "../model/host.ts";
import type { EnvoyMessage } from "../model/json.ts";
import { trustDomainsOf } from "../model/mesh-config.ts";
import type { TranslateContext } from "./context.ts";
import { type GatewayPort, gatewayPorts, type MergedServer, virtualServicesOf } from "./gateway-server.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { ANY_MTLS_ALPN } from "./inbound-chain.ts";
import { socketAddress, tlsInspector } from "./listener-parts.ts";
import { weighted } from "./outbound-tcp.ts";
import { sniClusters } from "./sni-cluster.ts";
import { tcpFilters, toCluster, type WeightedCluster } from "./tcp-proxy.ts";
import { listenerAccessLog } from "./telemetry.ts";
import { serverTls } from "./tls-context.ts";

export function gatewayListeners(context: TranslateContext): readonly EnvoyMessage[] {
  return gatewayPorts(context).flatMap((port) => {
    const chains = port.isPlainHttp
      ? [httpChain(context, port)]
      : port.servers.flatMap((s) => serverChains(context, port, s));
    if (chains.length === 0) return [];
    const needsTls = port.servers.some((server) => server.kind === "https" || server.kind === "tls");
    return [
      {
        name: `${port.bind}_${port.port}`,
        address: socketAddress(port.bind, port.port),
        filter_chains: withoutDuplicates(chains),
        listener_filters: needsTls ? [tlsInspector()] : undefined,
        continue_on_listener_filters_timeout: needsTls ? true : undefined,
        listener_filters_timeout: needsTls ? context.state.mesh.protocolDetectionTimeout : undefined,
        traffic_direction: "OUTBOUND",
        access_log: listenerAccessLog(context.state.mesh),
      },
    ];
  });
}

function httpChain(context: TranslateContext, port: GatewayPort): EnvoyMessage {
  return {
    filters: [
      httpConnectionManager({
        context,
        traffic: "GATEWAY",
        statPrefix: `outbound_${port.bind}_${port.port}`,
        routes: { rds: `http.${port.port}` },
      }),
    ],
  };
}

function serverChains(context: TranslateContext, port: GatewayPort, merged: MergedServer): readonly EnvoyMessage[] {
  const { server, kind, hosts } = merged;
  const names = hosts.includes("*") ? undefined : hosts;
  const trustDomains = trustDomainsOf(context.state.mesh);
  switch (kind) {
    case "http":
      return [];
    case "https":
      return [
        {
          filter_chain_match: { server_names: names },
          transport_socket: serverTls(server.tls ?? {}, { isHttp: true, trustDomains }),
          filters: [
            httpConnectionManager({
              context,
              traffic: "GATEWAY",
              statPrefix: `outbound_${port.bind}_${port.port}`,
              routes: { rds: merged.routeName },
            }),
          ],
        },
      ];
    case "tls": {
      if (server.tls?.mode === "AUTO_PASSTHROUGH")
        return sniClusters(context, merged).map((name) => autoPassthroughChain(context, name));
      const socket = serverTls(server.tls ?? {}, { isHttp: false, trustDomains });
      // TLS that ends here continues as TCP; TLS that passes is routed by its server name.
      if (socket !== undefined) {
        const routes = [...sniRoutes(context, merged), ...tcpRoutes(context, merged, names)];
        return routes.map((route) => ({ ...tcpChain(context, route), transport_socket: socket }));
      }
      return sniRoutes(context, merged).map((route) => tcpChain(context, route));
    }
    case "tcp":
      return tcpRoutes(context, merged, undefined).map((route) => tcpChain(context, route));
  }
}

/** The client has chosen the cluster by its server name; only a sidecar's ALPN is let through, so that mTLS follows. */
function autoPassthroughChain(context: TranslateContext, cluster: string): EnvoyMessage {
  return {
    ...tcpChain(context, { serverNames: [cluster], clusters: toCluster(cluster) }),
    filter_chain_match: { server_names: [cluster], application_protocols: ANY_MTLS_ALPN },
  };
}

interface L4Choice {
  readonly serverNames: readonly string[] | undefined;
  readonly clusters: readonly WeightedCluster[];
}

function sniRoutes(context: TranslateContext, merged: MergedServer): readonly L4Choice[] {
  const out: L4Choice[] = [];
  for (const { vs, hosts } of virtualServicesOf(context, merged)) {
    for (const route of vs.spec.tls ?? []) {
      for (const match of route.match) {
        if (match.port !== undefined && match.port !== merged.server.port.number) continue;
        if (match.gateways !== undefined && match.gateways.length > 0 && !match.gateways.includes(merged.gatewayName))
          continue;
        const names = match.sniHosts.filter((name) => hosts.some((host) => hostsOverlap(host, name)));
        if (names.length === 0) continue;
        out.push({
          serverNames: names.includes("*") ? undefined : names,
          clusters: weighted(context, route.route ?? [], merged.server.port.number),
        });
      }
    }
  }
  return out;
}

function tcpRoutes(
  context: TranslateContext,
  merged: MergedServer,
  serverNames: readonly string[] | undefined,
): readonly L4Choice[] {
  for (const { vs } of virtualServicesOf(context, merged)) {
    for (const route of vs.spec.tcp ?? []) {
      const matches = route.match ?? [];
      const applies =
        matches.length === 0 ||
        matches.some(
          (match) =>
            (match.port === undefined || match.port === merged.server.port.number) &&
            (match.gateways === undefined ||
              match.gateways.length === 0 ||
              match.gateways.includes(merged.gatewayName)),
        );
      if (applies) return [{ serverNames, clusters: weighted(context, route.route ?? [], merged.server.port.number) }];
    }
  }
  return [];
}

function tcpChain(context: TranslateContext, { serverNames, clusters }: L4Choice): EnvoyMessage {
  return {
    filter_chain_match: serverNames === undefined ? undefined : { server_names: serverNames },
    filters: tcpFilters({
      context,
      traffic: "GATEWAY",
      statPrefix: clusters[0]?.name ?? "tcp",
      clusters,
    }),
  };
}

/** Envoy refuses a listener whose chains match the same; the first one stays. */
function withoutDuplicates(chains: readonly EnvoyMessage[]): readonly EnvoyMessage[] {
  const seen = new Set<string>();
  return chains.filter((chain) => {
    const key = JSON.stringify(chain.filter_chain_match ?? {});
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
