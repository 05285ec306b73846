/**
 * TCP filter chains: a tcp_proxy to one cluster or a weighted set, preceded by Istio's network filters.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto
 */
import type { EnvoyMessage } from "../model/json.ts";
import { authorizationFilters } from "./authz/authorization.ts";
import type { TranslateContext } from "./context.ts";
import { accessLog, istioNetworkFilters, type TrafficClass } from "./telemetry.ts";

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

export interface TcpProxyOptions {
  readonly context: TranslateContext;
  readonly traffic: TrafficClass;
  readonly statPrefix: string;
  readonly clusters: readonly WeightedCluster[];
  readonly idleTimeout?: string | undefined;
  readonly hashSourceIp?: boolean;
}

export function tcpFilters(options: TcpProxyOptions): readonly EnvoyMessage[] {
  const { context, traffic } = options;
  // Whoever is refused is refused before anything else; outbound traffic is judged where it arrives.
  const authorization = traffic === "SIDECAR_OUTBOUND" ? [] : authorizationFilters(context, "tcp");
  return [...authorization, ...istioNetworkFilters(context.node, traffic), tcpProxy(options)];
}

export function tcpProxy(options: TcpProxyOptions): EnvoyMessage {
  const { context, clusters, statPrefix } = options;
  const live = clusters.filter((cluster) => cluster.weight > 0);
  const [first] = live.length > 0 ? live : clusters;
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: statPrefix,
      ...(live.length > 1
        ? { weighted_clusters: { clusters: live.map(({ name, weight }) => ({ name, weight })) } }
        : { cluster: first?.name }),
      access_log: accessLog(context.state.mesh),
      idle_timeout: options.idleTimeout,
      hash_policy: options.hashSourceIp === true ? [{ source_ip: {} }] : undefined,
    },
  };
}

export function toCluster(name: string): readonly WeightedCluster[] {
  return [{ name, weight: 1 }];
}
