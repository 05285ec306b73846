/**
 * envoy.config.cluster.v3.Cluster and ClusterLoadAssignment, compiled. Pure.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/cluster/v3/cluster.proto
 */
import { type Address, compileAddress } from "./address.ts";
import type { Fields } from "./fields.ts";
import { compileHttp2, type Http2Config } from "./http2-config.ts";
import { compileLb, type LbConfig } from "./lb-config.ts";
import { compileTransportSocket, type TransportSocketConfig } from "./tls-config.ts";

/** What is spoken to a cluster's hosts; `downstream`: what the request came by. */
export type UpstreamProtocol = "http1" | "http2" | "downstream";

export interface ClusterConfig {
  readonly name: string;
  readonly type: (typeof TYPES)[number];
  readonly edsName: string;
  readonly lb: LbConfig;
  readonly connectTimeoutMs: number;
  readonly thresholds: Thresholds;
  readonly highThresholds: Thresholds;
  readonly maxRequestsPerConnection: number;
  readonly protocol: UpstreamProtocol;
  readonly http2: Http2Config;
  /** 0: never. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  readonly transport: TransportSocketConfig;
  readonly transportMatches: readonly TransportMatch[];
  readonly endpoints: LoadAssignment | undefined;
  readonly dnsRefreshMs: number;
  readonly outlier: OutlierConfig | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Port that replaces the original destination's, for ORIGINAL_DST (0: none). */
  readonly originalDstPort: number;
  readonly subsetSelectors: readonly (readonly string[])[];
  readonly defaultSubset: Readonly<Record<string, unknown>>;
  readonly subsetFallback: "NO_FALLBACK" | "ANY_ENDPOINT" | "DEFAULT_SUBSET";
  readonly panicThreshold: number;
  /** Where connections come from, as the peer sees it (Istio's inbound passthrough uses 127.0.0.6). */
  readonly sourceAddress: string | undefined;
  /** TLS names the host that the request is for; with `autoSan` the peer must bear that name. */
  readonly autoSni: boolean;
  readonly autoSan: boolean;
  /** metadata istio.alpn_override "false": TLS that the user configured keeps its own ALPN. */
  readonly keepsOwnAlpn: boolean;
  /** Upstream network filter istio.metadata_exchange: TCP peers say who they are. */
  readonly exchangesMetadata: boolean;
  readonly raw: object;
}

export interface TransportMatch {
  readonly name: string;
  readonly match: Readonly<Record<string, unknown>>;
  readonly transport: TransportSocketConfig;
}

export interface Thresholds {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface OutlierConfig {
  readonly consecutive5xx: number;
  readonly consecutiveGateway: number;
  readonly enforcing5xx: number;
  readonly enforcingGateway: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
}

export interface LoadAssignment {
  readonly cluster: string;
  readonly endpoints: readonly EndpointConfig[];
  readonly raw: object;
}

export interface EndpointConfig {
  readonly address: Address;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: string;
  readonly localityWeight: number;
  readonly health: "HEALTHY" | "UNHEALTHY" | "DRAINING";
  /** filter_metadata of the endpoint. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

const TYPES = ["STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"] as const;

export function compileCluster(fields: Fields): ClusterConfig {
  const name = fields.required("name");
  const type = fields.enumeration("type", TYPES, "STATIC");
  const http = fields
    .map("typed_extension_protocol_options")
    .find(([key]) => key === "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")?.[1];
  const protocol = http?.object("common_http_protocol_options") ?? fields.object("common_http_protocol_options");
  const outlier = fields.object("outlier_detection");
  const assignment = fields.object("load_assignment");
  if (type.endsWith("_DNS") && assignment === undefined)
    fields.problem("load_assignment", `value is required for a ${type} cluster`);
  const subset = fields.object("lb_subset_config");
  const metadata = fields.object("metadata")?.object("filter_metadata")?.raw ?? {};
  return {
    name,
    type,
    edsName: fields.object("eds_cluster_config")?.string("service_name") || name,
    lb: compileLb(fields),
    connectTimeoutMs: fields.duration("connect_timeout", 5000),
    thresholds: compileThresholds(fields, "DEFAULT"),
    highThresholds: compileThresholds(fields, "HIGH"),
    maxRequestsPerConnection:
      protocol?.number("max_requests_per_connection") ?? fields.number("max_requests_per_connection", 0),
    ...compileProtocol(fields, http, protocol),
    idleTimeoutMs: protocol?.duration("idle_timeout", 3_600_000) ?? 3_600_000,
    transport: compileTransportSocket(fields.object("transport_socket")),
    transportMatches: fields.list("transport_socket_matches").map((item) => ({
      name: item.string("name"),
      match: item.object("match")?.raw ?? {},
      transport: compileTransportSocket(item.object("transport_socket")),
    })),
    endpoints: assignment === undefined ? undefined : compileLoadAssignment(assignment),
    dnsRefreshMs: fields.duration("dns_refresh_rate", 5000),
    outlier: outlier === undefined ? undefined : compileOutlier(outlier),
    metadata,
    autoSni: http?.object("upstream_http_protocol_options")?.boolean("auto_sni") === true,
    autoSan: http?.object("upstream_http_protocol_options")?.boolean("auto_san_validation") === true,
    keepsOwnAlpn: (metadata.istio as { readonly alpn_override?: unknown } | undefined)?.alpn_override === "false",
    exchangesMetadata: fields.list("filters").some((filter) => {
      const any = filter.object("typed_config");
      return `${any?.typeName()} ${any?.string("type_url")}`.includes("metadataexchange.config.MetadataExchange");
    }),
    originalDstPort: fields.object("original_dst_lb_config")?.number("upstream_port_override", 0) ?? 0,
    subsetSelectors: subset?.list("subset_selectors").map((item) => [...item.strings("keys")].sort()) ?? [],
    defaultSubset: subset?.object("default_subset")?.raw ?? {},
    subsetFallback:
      subset?.enumeration("fallback_policy", ["NO_FALLBACK", "ANY_ENDPOINT", "DEFAULT_SUBSET"], "NO_FALLBACK") ??
      "NO_FALLBACK",
    panicThreshold: fields.object("common_lb_config")?.object("healthy_panic_threshold")?.number("value", 0) ?? 50,
    sourceAddress: fields.object("upstream_bind_config")?.object("source_address")?.string("address"),
    raw: fields.raw,
  };
}

const MAX_HEAD_BYTES = 60 * 1024;

function compileProtocol(
  fields: Fields,
  http: Fields | undefined,
  shared: Fields | undefined,
): Pick<ClusterConfig, "protocol" | "http2"> {
  const explicit = http?.object("explicit_http_config");
  const same = http?.object("use_downstream_protocol_config");
  const options =
    explicit?.object("http2_protocol_options") ??
    same?.object("http2_protocol_options") ??
    fields.object("http2_protocol_options");
  const isHttp2 =
    explicit === undefined ? fields.has("http2_protocol_options") : explicit.has("http2_protocol_options");
  return {
    protocol: same !== undefined ? "downstream" : isHttp2 ? "http2" : "http1",
    http2: compileHttp2(options, MAX_HEAD_BYTES, shared?.number("max_headers_count", 100) ?? 100),
  };
}

function compileThresholds(fields: Fields, priority: "DEFAULT" | "HIGH"): Thresholds {
  const found = fields
    .object("circuit_breakers")
    ?.list("thresholds")
    .find((item) => item.enumeration("priority", ["DEFAULT", "HIGH"], "DEFAULT") === priority);
  return {
    maxConnections: found?.number("max_connections", 1024) ?? 1024,
    maxPendingRequests: found?.number("max_pending_requests", 1024) ?? 1024,
    maxRequests: found?.number("max_requests", 1024) ?? 1024,
    maxRetries: found?.number("max_retries", 3) ?? 3,
  };
}

function compileOutlier(fields: Fields): OutlierConfig {
  return {
    consecutive5xx: fields.number("consecutive_5xx", 5),
    consecutiveGateway: fields.number("consecutive_gateway_failure", 5),
    enforcing5xx: fields.number("enforcing_consecutive_5xx", 100),
    enforcingGateway: fields.number("enforcing_consecutive_gateway_failure", 0),
    intervalMs: fields.duration("interval", 10_000),
    baseEjectionMs: fields.duration("base_ejection_time", 30_000),
    maxEjectionMs: fields.duration("max_ejection_time", 300_000),
    maxEjectionPercent: fields.number("max_ejection_percent", 10),
  };
}

export function compileLoadAssignment(fields: Fields): LoadAssignment {
  const endpoints = fields.list("endpoints").flatMap((group) => {
    const locality = group.object("locality");
    const place = [locality?.string("region"), locality?.string("zone"), locality?.string("sub_zone")];
    const priority = group.number("priority", 0);
    const localityWeight = group.number("load_balancing_weight", 1);
    return group.list("lb_endpoints").map((item): EndpointConfig => {
      const endpoint = item.object("endpoint");
      const health = item.string("health_status", "UNKNOWN");
      return {
        address: compileAddress(endpoint?.object("address"), endpoint ?? item),
        hostname: endpoint?.string("hostname") ?? "",
        weight: item.number("load_balancing_weight", 1),
        priority,
        locality: place.filter((part) => part !== undefined && part !== "").join("/"),
        localityWeight,
        health:
          health === "DRAINING" ? "DRAINING" : health === "UNHEALTHY" || health === "TIMEOUT" ? "UNHEALTHY" : "HEALTHY",
        metadata: item.object("metadata")?.object("filter_metadata")?.raw ?? {},
      };
    });
  });
  return { cluster: fields.string("cluster_name"), endpoints, raw: fields.raw };
}
