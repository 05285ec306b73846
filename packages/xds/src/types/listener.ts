/**
 * LDS: listeners and their filter chains.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto
 */
import type {
  AccessLog,
  Address,
  CidrRange,
  ConfigSourceSpecifier,
  TransportSocket,
  TypedConfig,
  XdsMetadata,
} from "./core.ts";

export interface Listener {
  readonly name: string;
  readonly address?: Address;
  readonly additional_addresses?: readonly { readonly address: Address }[];
  readonly stat_prefix?: string;
  readonly filter_chains?: readonly FilterChain[];
  readonly default_filter_chain?: FilterChain;
  readonly listener_filters?: readonly ListenerFilter[];
  readonly listener_filters_timeout?: string;
  readonly continue_on_listener_filters_timeout?: boolean;
  readonly use_original_dst?: boolean;
  readonly bind_to_port?: boolean;
  readonly traffic_direction?: "UNSPECIFIED" | "INBOUND" | "OUTBOUND";
  readonly per_connection_buffer_limit_bytes?: number;
  readonly connection_balance_config?: Readonly<Record<string, unknown>>;
  readonly access_log?: readonly AccessLog[];
  readonly metadata?: XdsMetadata;
  /** A client-side (gRPC) API listener. */
  readonly api_listener?: { readonly api_listener?: TypedConfig };
  readonly enable_reuse_port?: boolean;
  readonly ignore_global_conn_limit?: boolean;
  readonly max_connections_to_accept_per_socket_event?: number;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto */
export interface FilterChain {
  readonly name?: string;
  readonly filter_chain_match?: FilterChainMatch;
  readonly filters?: readonly NetworkFilter[];
  readonly transport_socket?: TransportSocket;
  readonly transport_socket_connect_timeout?: string;
  readonly metadata?: XdsMetadata;
}

/** Matched in this order: destination port, destination IP, server name, transport protocol, ALPN, source… */
export interface FilterChainMatch {
  readonly destination_port?: number;
  readonly prefix_ranges?: readonly CidrRange[];
  readonly server_names?: readonly string[];
  /** `tls` or `raw_buffer`; absent matches both. */
  readonly transport_protocol?: string;
  readonly application_protocols?: readonly string[];
  readonly direct_source_prefix_ranges?: readonly CidrRange[];
  readonly source_type?: "ANY" | "SAME_IP_OR_LOOPBACK" | "EXTERNAL";
  readonly source_prefix_ranges?: readonly CidrRange[];
  readonly source_ports?: readonly number[];
  readonly address_suffix?: string;
  readonly suffix_len?: number;
}

export interface NetworkFilter {
  readonly name: string;
  readonly typed_config?: TypedConfig;
  readonly config_discovery?: ExtensionConfigSource;
}

export interface ListenerFilter {
  readonly name: string;
  readonly typed_config?: TypedConfig;
  readonly config_discovery?: ExtensionConfigSource;
  readonly filter_disabled?: Readonly<Record<string, unknown>>;
}

export interface ExtensionConfigSource {
  readonly config_source?: ConfigSourceSpecifier;
  readonly default_config?: TypedConfig;
  readonly apply_default_config_without_warming?: boolean;
  readonly type_urls?: readonly string[];
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto */
export interface TcpProxy {
  readonly stat_prefix: string;
  readonly cluster?: string;
  readonly weighted_clusters?: {
    readonly clusters: readonly {
      readonly name: string;
      readonly weight?: number;
      readonly metadata_match?: XdsMetadata;
    }[];
  };
  readonly metadata_match?: XdsMetadata;
  readonly idle_timeout?: string;
  readonly access_log?: readonly AccessLog[];
  readonly max_connect_attempts?: number;
  readonly hash_policy?: readonly Readonly<Record<string, unknown>>[];
  readonly tunneling_config?: Readonly<Record<string, unknown>>;
  readonly max_downstream_connection_duration?: string;
}
