/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, compiled. */
import { type AccessLogConfig, compileAccessLogs } from "./access-log-config.ts";
import type { Fields } from "./fields.ts";

export interface TcpProxyConfig {
  readonly kind: "tcp";
  readonly statPrefix: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly totalWeight: number;
  /** 0: never. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxConnectionDurationMs: number;
  readonly maxConnectAttempts: number;
  /** hash_policy source_ip: a hashing cluster gives a client the same host for each connection. */
  readonly hashesSourceIp: boolean;
  readonly accessLogs: readonly AccessLogConfig[];
}

export function compileTcpProxy(fields: Fields): TcpProxyConfig {
  const weighted = fields.object("weighted_clusters")?.list("clusters");
  const clusters =
    weighted === undefined
      ? [{ name: fields.required("cluster"), weight: 1 }]
      : weighted.map((item) => ({ name: item.required("name"), weight: item.number("weight", 1) }));
  return {
    kind: "tcp",
    statPrefix: fields.required("stat_prefix"),
    clusters,
    totalWeight: clusters.reduce((sum, cluster) => sum + cluster.weight, 0),
    idleTimeoutMs: fields.duration("idle_timeout", 3_600_000),
    maxConnectionDurationMs: fields.duration("max_downstream_connection_duration", 0),
    maxConnectAttempts: fields.number("max_connect_attempts", 1),
    hashesSourceIp: fields.list("hash_policy").some((policy) => policy.has("source_ip")),
    accessLogs: compileAccessLogs(fields.list("access_log")),
  };
}
