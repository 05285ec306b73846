/**
 * Traffic policies of a DestinationRule as fields of an Envoy cluster: connection pools, outlier detection, load balancing.
 * https://istio.io/latest/docs/reference/config/networking/destination-rule
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto
 */
import { parseGoDuration, toProtoDuration } from "@argyle/core";
import type { ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection } from "@argyle/kube-types";
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshConfig } from "../model/mesh-config.ts";
import { isHttp2, type Protocol } from "../model/protocol.ts";

const UNLIMITED = 4_294_967_295;
const HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** A duration of a manifest (Go syntax) as proto3 JSON; a text that is none stays away. */
export function protoDuration(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const ms = parseGoDuration(text);
  return ms === undefined ? undefined : toProtoDuration(ms);
}

/** Without a rule nothing is limited: Envoy's own defaults (1024) would surprise whoever did not ask for a circuit breaker. */
export function circuitBreakers(pool: ConnectionPoolSettings | undefined): EnvoyMessage {
  return {
    thresholds: [
      {
        max_connections: positive(pool?.tcp?.maxConnections) ?? UNLIMITED,
        max_pending_requests: positive(pool?.http?.http1MaxPendingRequests) ?? UNLIMITED,
        max_requests: positive(pool?.http?.http2MaxRequests) ?? UNLIMITED,
        max_retries: positive(pool?.http?.maxRetries) ?? UNLIMITED,
        track_remaining: true,
      },
    ],
  };
}

export function connectionOptions(pool: ConnectionPoolSettings | undefined, meshTimeout: string): EnvoyMessage {
  const keepalive = pool?.tcp?.tcpKeepalive;
  return {
    connect_timeout: protoDuration(pool?.tcp?.connectTimeout) ?? protoDuration(meshTimeout),
    upstream_connection_options:
      keepalive === undefined
        ? undefined
        : {
            tcp_keepalive: {
              keepalive_probes: keepalive.probes,
              keepalive_time: seconds(keepalive.time),
              keepalive_interval: seconds(keepalive.interval),
            },
          },
  };
}

/** The HTTP that a cluster's endpoints are spoken to in; `client`: what the request came by. */
export type UpstreamHttp = "http1" | "http2" | "client";

/** By the port's protocol alone. A gateway does not sniff, so nothing came in the same way there. */
export function upstreamHttpOf(protocol: Protocol, isGateway = false): UpstreamHttp {
  if (isHttp2(protocol)) return "http2";
  return protocol === "Auto" && !isGateway ? "client" : "http1";
}

/** With the rule and the mesh: useClientProtocol, then h2UpgradePolicy (the rule's before the mesh's), then the port. */
export function outboundHttp(
  protocol: Protocol,
  pool: ConnectionPoolSettings | undefined,
  mesh: Pick<MeshConfig, "upgradesToHttp2">,
  isGateway: boolean,
): UpstreamHttp {
  const { useClientProtocol, h2UpgradePolicy } = pool?.http ?? {};
  if (useClientProtocol === true) return "client";
  const isUpgrade = h2UpgradePolicy === "UPGRADE" || (h2UpgradePolicy !== "DO_NOT_UPGRADE" && mesh.upgradesToHttp2);
  if (isUpgrade && (protocol === "HTTP" || protocol === "Auto")) return "http2";
  return upstreamHttpOf(protocol, isGateway);
}

/** HTTP version towards the upstream, per-connection limits and what TLS takes from each request. Undefined: HTTP/1.1 with defaults. */
export function httpProtocolOptions(
  version: UpstreamHttp,
  pool: ConnectionPoolSettings | undefined,
  upstreamHttp?: EnvoyMessage,
): EnvoyMessage | undefined {
  const http = pool?.http;
  const shared: EnvoyMessage = {
    idle_timeout: protoDuration(http?.idleTimeout),
    max_requests_per_connection: positive(http?.maxRequestsPerConnection),
    max_connection_duration: protoDuration(pool?.tcp?.maxConnectionDuration),
  };
  const hasShared = Object.values(shared).some((value) => value !== undefined);
  const http2: EnvoyMessage = { max_concurrent_streams: positive(http?.maxConcurrentStreams) };
  let upstream: EnvoyMessage | undefined;
  if (version === "client") {
    upstream = { use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: http2 } };
  } else if (version === "http2") {
    upstream = { explicit_http_config: { http2_protocol_options: http2 } };
  } else if (hasShared || upstreamHttp !== undefined) {
    upstream = { explicit_http_config: { http_protocol_options: {} } };
  }
  if (upstream === undefined) return undefined;
  return {
    [HTTP_PROTOCOL_OPTIONS]: {
      "@type": `type.googleapis.com/${HTTP_PROTOCOL_OPTIONS}`,
      common_http_protocol_options: hasShared ? shared : undefined,
      upstream_http_protocol_options: upstreamHttp,
      ...upstream,
    },
  };
}

/** `consecutiveErrors` is Istio 1.5's name: gateway errors (502, 503, 504) and connection failures. */
export function outlierDetection(settings: OutlierDetection | undefined): EnvoyMessage {
  if (settings === undefined) return {};
  const gatewayErrors = settings.consecutiveGatewayErrors ?? settings.consecutiveErrors;
  const serverErrors = settings.consecutive5xxErrors ?? (settings.consecutiveErrors === undefined ? undefined : 0);
  const split = settings.splitExternalLocalOriginErrors === true;
  return {
    outlier_detection: {
      consecutive_5xx: serverErrors === 0 ? undefined : serverErrors,
      enforcing_consecutive_5xx: serverErrors === undefined ? undefined : serverErrors > 0 ? 100 : 0,
      consecutive_gateway_failure: gatewayErrors,
      enforcing_consecutive_gateway_failure: gatewayErrors === undefined ? undefined : gatewayErrors > 0 ? 100 : 0,
      interval: protoDuration(settings.interval),
      base_ejection_time: protoDuration(settings.baseEjectionTime),
      max_ejection_percent: positive(settings.maxEjectionPercent),
      enforcing_success_rate: 0,
      split_external_local_origin_errors: split ? true : undefined,
      consecutive_local_origin_failure: split ? positive(settings.consecutiveLocalOriginFailures) : undefined,
      enforcing_consecutive_local_origin_failure:
        split && positive(settings.consecutiveLocalOriginFailures) !== undefined ? 100 : undefined,
      enforcing_local_origin_success_rate: split ? 0 : undefined,
    },
    // No panic routing unless asked for: with few replicas it would send traffic to what was just ejected.
    common_lb_config: { healthy_panic_threshold: { value: settings.minHealthPercent ?? 0 } },
  };
}

/** LEAST_REQUEST when nothing is said. */
export function loadBalancer(settings: LoadBalancerSettings | undefined): EnvoyMessage {
  const hash = settings?.consistentHash;
  if (hash !== undefined) {
    if (hash.maglev !== undefined) {
      return {
        lb_policy: "MAGLEV",
        maglev_lb_config: { table_size: uint64(hash.maglev.tableSize) },
      };
    }
    return {
      lb_policy: "RING_HASH",
      ring_hash_lb_config: {
        minimum_ring_size: uint64(positive(hash.ringHash?.minimumRingSize) ?? positive(hash.minimumRingSize) ?? 1024),
      },
    };
  }
  const slowStart = slowStartConfig(settings);
  switch (settings?.simple) {
    case "ROUND_ROBIN":
      return {
        lb_policy: "ROUND_ROBIN",
        round_robin_lb_config: slowStart === undefined ? undefined : { slow_start_config: slowStart },
      };
    case "RANDOM":
      return { lb_policy: "RANDOM" };
    case "PASSTHROUGH":
      return { lb_policy: "CLUSTER_PROVIDED", type: "ORIGINAL_DST" };
    case undefined:
    case "UNSPECIFIED":
    case "LEAST_CONN":
    case "LEAST_REQUEST":
      return {
        lb_policy: "LEAST_REQUEST",
        least_request_lb_config: slowStart === undefined ? undefined : { slow_start_config: slowStart },
      };
  }
}

function slowStartConfig(settings: LoadBalancerSettings | undefined): EnvoyMessage | undefined {
  const window = settings?.warmup?.duration ?? settings?.warmupDurationSecs;
  if (window === undefined) return undefined;
  return {
    slow_start_window: protoDuration(window),
    aggression:
      settings?.warmup?.aggression === undefined
        ? undefined
        : { default_value: settings.warmup.aggression, runtime_key: "" },
    min_weight_percent: { value: settings?.warmup?.minimumPercent ?? 10 },
  };
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function uint64(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function seconds(duration: string | undefined): number | undefined {
  const ms = duration === undefined ? undefined : parseGoDuration(duration);
  return ms === undefined ? undefined : Math.round(ms / 1000);
}
