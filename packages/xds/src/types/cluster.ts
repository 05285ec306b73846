/**
 * CDS and EDS: clusters and their endpoints.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto
 */
import type {
  Address,
  ConfigSourceSpecifier,
  Http1ProtocolOptions,
  Http2ProtocolOptions,
  HttpProtocolOptions,
  Locality,
  Percent,
  TransportSocket,
  TypedConfig,
  TypedExtensionConfig,
  XdsMetadata,
} from "./core.ts";

export interface Cluster {
  readonly name: string;
  readonly type?: "STATIC" | "STRICT_DNS" | "LOGICAL_DNS" | "EDS" | "ORIGINAL_DST";
  readonly cluster_type?: TypedExtensionConfig;
  readonly alt_stat_name?: string;
  readonly eds_cluster_config?: { readonly eds_config?: ConfigSourceSpecifier; readonly service_name?: string };
  readonly connect_timeout?: string;
  readonly per_connection_buffer_limit_bytes?: number;
  readonly lb_policy?:
    | "ROUND_ROBIN"
    | "LEAST_REQUEST"
    | "RING_HASH"
    | "RANDOM"
    | "MAGLEV"
    | "CLUSTER_PROVIDED"
    | "LOAD_BALANCING_POLICY_CONFIG";
  readonly load_balancing_policy?: {
    readonly policies?: readonly { readonly typed_extension_config?: TypedExtensionConfig }[];
  };
  readonly round_robin_lb_config?: { readonly slow_start_config?: SlowStartConfig };
  readonly least_request_lb_config?: {
    readonly choice_count?: number;
    readonly slow_start_config?: SlowStartConfig;
  };
  readonly ring_hash_lb_config?: {
    readonly minimum_ring_size?: string;
    readonly maximum_ring_size?: string;
    readonly hash_function?: "XX_HASH" | "MURMUR_HASH_2";
  };
  readonly maglev_lb_config?: { readonly table_size?: string };
  readonly original_dst_lb_config?: Readonly<Record<string, unknown>>;
  readonly common_lb_config?: CommonLbConfig;
  readonly load_assignment?: ClusterLoadAssignment;
  readonly health_checks?: readonly Readonly<Record<string, unknown>>[];
  readonly max_requests_per_connection?: number;
  readonly circuit_breakers?: { readonly thresholds?: readonly CircuitBreakerThresholds[] };
  readonly typed_extension_protocol_options?: Readonly<Record<string, TypedConfig>>;
  readonly http2_protocol_options?: Http2ProtocolOptions;
  readonly dns_refresh_rate?: string;
  readonly respect_dns_ttl?: boolean;
  readonly dns_lookup_family?: "AUTO" | "V4_ONLY" | "V6_ONLY" | "V4_PREFERRED" | "ALL";
  readonly outlier_detection?: OutlierDetection;
  readonly upstream_bind_config?: Readonly<Record<string, unknown>>;
  readonly lb_subset_config?: Readonly<Record<string, unknown>>;
  readonly transport_socket?: TransportSocket;
  readonly transport_socket_matches?: readonly TransportSocketMatch[];
  readonly metadata?: XdsMetadata;
  readonly filters?: readonly { readonly name: string; readonly typed_config?: TypedConfig }[];
  readonly upstream_connection_options?: {
    readonly tcp_keepalive?: {
      readonly keepalive_probes?: number;
      readonly keepalive_time?: number;
      readonly keepalive_interval?: number;
    };
  };
  readonly close_connections_on_host_health_failure?: boolean;
  readonly ignore_health_on_host_removal?: boolean;
  readonly connection_pool_per_downstream_connection?: boolean;
}

export interface SlowStartConfig {
  readonly slow_start_window?: string;
  readonly aggression?: { readonly default_value?: number; readonly runtime_key?: string };
  readonly min_weight_percent?: Percent;
}

export interface CommonLbConfig {
  readonly healthy_panic_threshold?: Percent;
  readonly zone_aware_lb_config?: Readonly<Record<string, unknown>>;
  readonly locality_weighted_lb_config?: Readonly<Record<string, never>>;
  readonly update_merge_window?: string;
  readonly consistent_hashing_lb_config?: Readonly<Record<string, unknown>>;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto */
export interface CircuitBreakerThresholds {
  readonly priority?: "DEFAULT" | "HIGH";
  readonly max_connections?: number;
  readonly max_pending_requests?: number;
  readonly max_requests?: number;
  readonly max_retries?: number;
  readonly retry_budget?: { readonly budget_percent?: Percent; readonly min_retry_concurrency?: number };
  readonly track_remaining?: boolean;
  readonly max_connection_pools?: number;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto */
export interface OutlierDetection {
  readonly consecutive_5xx?: number;
  readonly interval?: string;
  readonly base_ejection_time?: string;
  readonly max_ejection_percent?: number;
  readonly enforcing_consecutive_5xx?: number;
  readonly enforcing_success_rate?: number;
  readonly success_rate_minimum_hosts?: number;
  readonly success_rate_request_volume?: number;
  readonly success_rate_stdev_factor?: number;
  readonly consecutive_gateway_failure?: number;
  readonly enforcing_consecutive_gateway_failure?: number;
  readonly split_external_local_origin_errors?: boolean;
  readonly consecutive_local_origin_failure?: number;
  readonly enforcing_consecutive_local_origin_failure?: number;
  readonly enforcing_local_origin_success_rate?: number;
  readonly failure_percentage_threshold?: number;
  readonly enforcing_failure_percentage?: number;
  readonly failure_percentage_minimum_hosts?: number;
  readonly failure_percentage_request_volume?: number;
  readonly max_ejection_time?: string;
  readonly max_ejection_time_jitter?: string;
}

export interface TransportSocketMatch {
  readonly name: string;
  readonly match?: Readonly<Record<string, unknown>>;
  readonly transport_socket?: TransportSocket;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto */
export interface ClusterLoadAssignment {
  readonly cluster_name: string;
  readonly endpoints?: readonly LocalityLbEndpoints[];
  readonly policy?: {
    readonly overprovisioning_factor?: number;
    readonly drop_overloads?: readonly Readonly<Record<string, unknown>>[];
    readonly weighted_priority_health?: boolean;
  };
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint_components.proto */
export interface LocalityLbEndpoints {
  readonly locality?: Locality;
  readonly lb_endpoints?: readonly LbEndpoint[];
  readonly load_balancing_weight?: number;
  readonly priority?: number;
  readonly metadata?: XdsMetadata;
}

export interface LbEndpoint {
  readonly endpoint?: {
    readonly address?: Address;
    readonly health_check_config?: Readonly<Record<string, unknown>>;
    readonly hostname?: string;
  };
  readonly health_status?: "UNKNOWN" | "HEALTHY" | "UNHEALTHY" | "DRAINING" | "TIMEOUT" | "DEGRADED";
  readonly metadata?: XdsMetadata;
  readonly load_balancing_weight?: number;
}

/**
 * `typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]`; one of the three choices is set.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/upstreams/http/v3/http_protocol_options.proto
 */
export interface UpstreamHttpProtocolOptions {
  readonly common_http_protocol_options?: HttpProtocolOptions;
  readonly upstream_http_protocol_options?: { readonly auto_sni?: boolean; readonly auto_san_validation?: boolean };
  readonly explicit_http_config?: {
    readonly http_protocol_options?: Http1ProtocolOptions;
    readonly http2_protocol_options?: Http2ProtocolOptions;
  };
  readonly use_downstream_protocol_config?: {
    readonly http_protocol_options?: Http1ProtocolOptions;
    readonly http2_protocol_options?: Http2ProtocolOptions;
  };
  readonly auto_config?: Readonly<Record<string, unknown>>;
  readonly http_filters?: readonly { readonly name: string; readonly typed_config?: TypedConfig }[];
}
