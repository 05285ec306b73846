/**
 * Shared pieces of Envoy's API as proto3 JSON with proto field names. Narrow: what we read and write, no more.
 * Durations are `"1.5s"`, 64-bit integers are strings, enums are their names, bytes are base64; default values are absent.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/core
 */

/** An Any in JSON: `@type` and the fields of that message beside it. A foreign type has only `value`, base64. */
export interface TypedConfig {
  readonly "@type": string;
  readonly [field: string]: unknown;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/address.proto */
export interface Address {
  readonly socket_address?: SocketAddress;
  readonly pipe?: { readonly path: string; readonly mode?: number };
  readonly envoy_internal_address?: { readonly server_listener_name?: string; readonly endpoint_id?: string };
}

export interface SocketAddress {
  readonly protocol?: "TCP" | "UDP";
  readonly address: string;
  readonly port_value?: number;
  readonly named_port?: string;
}

export interface CidrRange {
  readonly address_prefix: string;
  readonly prefix_len?: number;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/base.proto */
export interface XdsMetadata {
  readonly filter_metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly typed_filter_metadata?: Readonly<Record<string, TypedConfig>>;
}

export interface Locality {
  readonly region?: string;
  readonly zone?: string;
  readonly sub_zone?: string;
}

/** `core.v3.Node`: who the client of a discovery stream is. */
export interface Node {
  readonly id: string;
  readonly cluster?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly locality?: Locality;
  readonly user_agent_name?: string;
  readonly user_agent_version?: string;
  readonly user_agent_build_version?: {
    readonly version?: { readonly major_number?: number; readonly minor_number?: number; readonly patch?: number };
    readonly metadata?: Readonly<Record<string, unknown>>;
  };
  readonly client_features?: readonly string[];
}

export interface XdsDataSource {
  readonly filename?: string;
  /** base64 */
  readonly inline_bytes?: string;
  readonly inline_string?: string;
  readonly environment_variable?: string;
}

export interface HeaderValue {
  readonly key: string;
  readonly value?: string;
  /** base64 */
  readonly raw_value?: string;
}

export interface HeaderValueOption {
  readonly header: HeaderValue;
  readonly append?: boolean;
  readonly append_action?:
    | "APPEND_IF_EXISTS_OR_ADD"
    | "ADD_IF_ABSENT"
    | "OVERWRITE_IF_EXISTS_OR_ADD"
    | "OVERWRITE_IF_EXISTS";
  readonly keep_empty_value?: boolean;
}

export interface FractionalPercent {
  readonly numerator?: number;
  readonly denominator?: "HUNDRED" | "TEN_THOUSAND" | "MILLION";
}

export interface RuntimeFractionalPercent {
  readonly default_value?: FractionalPercent;
  readonly runtime_key?: string;
}

export interface Percent {
  readonly value?: number;
}

export interface TransportSocket {
  readonly name: string;
  readonly typed_config?: TypedConfig;
}

/** Where a resource comes from; we write `{"ads": {}}` and `api_config_source` for nothing. */
export interface ConfigSourceSpecifier {
  readonly ads?: Readonly<Record<string, never>>;
  readonly self?: Readonly<Record<string, never>>;
  readonly path_config_source?: { readonly path: string };
  readonly api_config_source?: Readonly<Record<string, unknown>>;
  readonly initial_fetch_timeout?: string;
  readonly resource_api_version?: "AUTO" | "V2" | "V3";
}

export interface TypedExtensionConfig {
  readonly name: string;
  readonly typed_config?: TypedConfig;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/grpc_service.proto */
export interface GrpcService {
  readonly envoy_grpc?: { readonly cluster_name: string; readonly authority?: string };
  readonly google_grpc?: Readonly<Record<string, unknown>>;
  readonly timeout?: string;
  readonly initial_metadata?: readonly HeaderValue[];
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/http_uri.proto */
export interface HttpUri {
  readonly uri: string;
  readonly cluster?: string;
  readonly timeout?: string;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/string.proto: exactly one of the patterns is set. */
export interface StringMatcher {
  readonly exact?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly contains?: string;
  readonly safe_regex?: RegexMatcher;
  readonly ignore_case?: boolean;
}

export interface RegexMatcher {
  readonly regex: string;
  readonly google_re2?: Readonly<Record<string, unknown>>;
}

export interface RegexMatchAndSubstitute {
  readonly pattern: RegexMatcher;
  readonly substitution?: string;
}

export interface RuntimeFeatureFlag {
  readonly default_value?: boolean;
  readonly runtime_key?: string;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/accesslog/v3/accesslog.proto */
export interface AccessLog {
  readonly name: string;
  readonly filter?: Readonly<Record<string, unknown>>;
  readonly typed_config?: TypedConfig;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/protocol.proto */
export interface HttpProtocolOptions {
  readonly idle_timeout?: string;
  readonly max_connection_duration?: string;
  readonly max_headers_count?: number;
  readonly max_stream_duration?: string;
  readonly max_requests_per_connection?: number;
  readonly headers_with_underscores_action?: "ALLOW" | "REJECT_REQUEST" | "DROP_HEADER";
}

export interface Http1ProtocolOptions {
  readonly allow_absolute_url?: boolean;
  readonly accept_http_10?: boolean;
  readonly default_host_for_http_10?: string;
  readonly enable_trailers?: boolean;
  readonly header_key_format?: Readonly<Record<string, unknown>>;
}

export interface Http2ProtocolOptions {
  readonly hpack_table_size?: number;
  readonly max_concurrent_streams?: number;
  readonly initial_stream_window_size?: number;
  readonly initial_connection_window_size?: number;
  readonly allow_connect?: boolean;
  readonly connection_keepalive?: Readonly<Record<string, unknown>>;
}
