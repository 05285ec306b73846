/**
 * RDS: route configurations, virtual hosts, routes.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto
 */
import type {
  FractionalPercent,
  HeaderValueOption,
  RegexMatchAndSubstitute,
  RegexMatcher,
  RuntimeFractionalPercent,
  StringMatcher,
  TypedConfig,
  TypedExtensionConfig,
  XdsDataSource,
  XdsMetadata,
} from "./core.ts";

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route.proto */
export interface RouteConfiguration {
  readonly name?: string;
  readonly virtual_hosts?: readonly VirtualHost[];
  readonly internal_only_headers?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly most_specific_header_mutations_wins?: boolean;
  readonly validate_clusters?: boolean;
  readonly max_direct_response_body_size_bytes?: number;
  readonly ignore_port_in_host_matching?: boolean;
  readonly ignore_path_parameters_in_path_matching?: boolean;
  readonly typed_per_filter_config?: Readonly<Record<string, TypedConfig>>;
}

export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes?: readonly Route[];
  readonly require_tls?: "NONE" | "EXTERNAL_ONLY" | "ALL";
  readonly rate_limits?: readonly RateLimit[];
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
  readonly typed_per_filter_config?: Readonly<Record<string, TypedConfig>>;
  readonly include_request_attempt_count?: boolean;
  readonly include_attempt_count_in_response?: boolean;
  readonly retry_policy?: RetryPolicy;
  readonly metadata?: XdsMetadata;
}

/** Exactly one of route, redirect, direct_response, non_forwarding_action is set. */
export interface Route {
  readonly name?: string;
  readonly match: RouteMatch;
  readonly route?: RouteAction;
  readonly redirect?: RedirectAction;
  readonly direct_response?: DirectResponseAction;
  readonly non_forwarding_action?: Readonly<Record<string, never>>;
  readonly metadata?: XdsMetadata;
  readonly decorator?: { readonly operation: string; readonly propagate?: boolean };
  readonly typed_per_filter_config?: Readonly<Record<string, TypedConfig>>;
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
  readonly tracing?: Readonly<Record<string, unknown>>;
  readonly stat_prefix?: string;
}

/** Exactly one path specifier is set. */
export interface RouteMatch {
  readonly prefix?: string;
  readonly path?: string;
  readonly safe_regex?: RegexMatcher;
  readonly connect_matcher?: Readonly<Record<string, never>>;
  readonly path_separated_prefix?: string;
  readonly path_match_policy?: TypedExtensionConfig;
  readonly case_sensitive?: boolean;
  readonly runtime_fraction?: RuntimeFractionalPercent;
  readonly headers?: readonly HeaderMatcher[];
  readonly query_parameters?: readonly QueryParameterMatcher[];
  readonly grpc?: Readonly<Record<string, never>>;
  readonly dynamic_metadata?: readonly Readonly<Record<string, unknown>>[];
}

export interface HeaderMatcher {
  readonly name: string;
  /** Deprecated forms, still in EnvoyFilters. */
  readonly exact_match?: string;
  readonly safe_regex_match?: RegexMatcher;
  readonly prefix_match?: string;
  readonly suffix_match?: string;
  readonly contains_match?: string;
  readonly range_match?: { readonly start?: string; readonly end?: string };
  readonly present_match?: boolean;
  readonly string_match?: StringMatcher;
  readonly invert_match?: boolean;
  readonly treat_missing_header_as_empty?: boolean;
}

export interface QueryParameterMatcher {
  readonly name: string;
  readonly string_match?: StringMatcher;
  readonly present_match?: boolean;
}

export interface RouteAction {
  readonly cluster?: string;
  readonly cluster_header?: string;
  readonly weighted_clusters?: WeightedCluster;
  readonly cluster_not_found_response_code?: "SERVICE_UNAVAILABLE" | "NOT_FOUND" | "INTERNAL_SERVER_ERROR";
  readonly metadata_match?: XdsMetadata;
  readonly prefix_rewrite?: string;
  readonly regex_rewrite?: RegexMatchAndSubstitute;
  readonly path_rewrite_policy?: TypedExtensionConfig;
  readonly host_rewrite_literal?: string;
  readonly auto_host_rewrite?: boolean;
  readonly host_rewrite_header?: string;
  readonly host_rewrite_path_regex?: RegexMatchAndSubstitute;
  readonly append_x_forwarded_host?: boolean;
  readonly timeout?: string;
  readonly idle_timeout?: string;
  readonly retry_policy?: RetryPolicy;
  readonly request_mirror_policies?: readonly RequestMirrorPolicy[];
  readonly priority?: "DEFAULT" | "HIGH";
  readonly rate_limits?: readonly RateLimit[];
  readonly include_vh_rate_limits?: boolean;
  readonly hash_policy?: readonly HashPolicy[];
  readonly cors?: Readonly<Record<string, unknown>>;
  readonly max_grpc_timeout?: string;
  readonly upgrade_configs?: readonly { readonly upgrade_type: string; readonly enabled?: boolean }[];
  readonly max_stream_duration?: {
    readonly max_stream_duration?: string;
    readonly grpc_timeout_header_max?: string;
    readonly grpc_timeout_header_offset?: string;
  };
}

export interface WeightedCluster {
  readonly clusters: readonly ClusterWeight[];
  readonly total_weight?: number;
  readonly runtime_key_prefix?: string;
  readonly header_name?: string;
}

export interface ClusterWeight {
  readonly name?: string;
  readonly cluster_header?: string;
  readonly weight?: number;
  readonly metadata_match?: XdsMetadata;
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
  readonly typed_per_filter_config?: Readonly<Record<string, TypedConfig>>;
  readonly host_rewrite_literal?: string;
}

export interface RetryPolicy {
  readonly retry_on?: string;
  readonly num_retries?: number;
  readonly per_try_timeout?: string;
  readonly per_try_idle_timeout?: string;
  readonly retry_priority?: TypedExtensionConfig;
  readonly retry_host_predicate?: readonly TypedExtensionConfig[];
  readonly host_selection_retry_max_attempts?: string;
  readonly retriable_status_codes?: readonly number[];
  readonly retry_back_off?: { readonly base_interval?: string; readonly max_interval?: string };
  readonly retriable_headers?: readonly HeaderMatcher[];
  readonly retriable_request_headers?: readonly HeaderMatcher[];
}

export interface RequestMirrorPolicy {
  readonly cluster?: string;
  readonly cluster_header?: string;
  readonly runtime_fraction?: RuntimeFractionalPercent;
  readonly trace_sampled?: boolean;
  readonly disable_shadow_host_suffix_append?: boolean;
}

export interface HashPolicy {
  readonly header?: { readonly header_name: string; readonly regex_rewrite?: RegexMatchAndSubstitute };
  readonly cookie?: { readonly name: string; readonly ttl?: string; readonly path?: string };
  readonly connection_properties?: { readonly source_ip?: boolean };
  readonly query_parameter?: { readonly name: string };
  readonly filter_state?: { readonly key: string };
  readonly terminal?: boolean;
}

export interface RedirectAction {
  readonly https_redirect?: boolean;
  readonly scheme_redirect?: string;
  readonly host_redirect?: string;
  readonly port_redirect?: number;
  readonly path_redirect?: string;
  readonly prefix_rewrite?: string;
  readonly regex_rewrite?: RegexMatchAndSubstitute;
  readonly response_code?: "MOVED_PERMANENTLY" | "FOUND" | "SEE_OTHER" | "TEMPORARY_REDIRECT" | "PERMANENT_REDIRECT";
  readonly strip_query?: boolean;
}

export interface DirectResponseAction {
  readonly status: number;
  readonly body?: XdsDataSource;
}

/** Descriptor generation for the rate limit filters; the actions are read by the filter. */
export interface RateLimit {
  readonly stage?: number;
  readonly disable_key?: string;
  readonly actions?: readonly RateLimitAction[];
  readonly limit?: Readonly<Record<string, unknown>>;
}

export interface RateLimitAction {
  readonly source_cluster?: Readonly<Record<string, never>>;
  readonly destination_cluster?: Readonly<Record<string, never>>;
  readonly request_headers?: {
    readonly header_name: string;
    readonly descriptor_key: string;
    readonly skip_if_absent?: boolean;
  };
  readonly query_parameters?: Readonly<Record<string, unknown>>;
  readonly remote_address?: Readonly<Record<string, never>>;
  readonly generic_key?: { readonly descriptor_value: string; readonly descriptor_key?: string };
  readonly header_value_match?: {
    readonly descriptor_key?: string;
    readonly descriptor_value: string;
    readonly expect_match?: boolean;
    readonly headers: readonly HeaderMatcher[];
  };
  readonly query_parameter_value_match?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly masked_remote_address?: Readonly<Record<string, unknown>>;
  readonly extension?: TypedExtensionConfig;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/cors/v3/cors.proto */
export interface CorsPolicy {
  readonly allow_origin_string_match?: readonly StringMatcher[];
  readonly allow_methods?: string;
  readonly allow_headers?: string;
  readonly expose_headers?: string;
  readonly max_age?: string;
  readonly allow_credentials?: boolean;
  readonly filter_enabled?: RuntimeFractionalPercent;
  readonly shadow_enabled?: RuntimeFractionalPercent;
  readonly forward_not_matching_preflights?: boolean;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/fault/v3/fault.proto */
export interface HttpFault {
  readonly delay?: {
    readonly fixed_delay?: string;
    readonly header_delay?: Readonly<Record<string, never>>;
    readonly percentage?: FractionalPercent;
  };
  readonly abort?: {
    readonly http_status?: number;
    readonly grpc_status?: number;
    readonly header_abort?: Readonly<Record<string, never>>;
    readonly percentage?: FractionalPercent;
  };
  readonly upstream_cluster?: string;
  readonly headers?: readonly HeaderMatcher[];
  readonly downstream_nodes?: readonly string[];
  readonly max_active_faults?: number;
  readonly response_rate_limit?: Readonly<Record<string, unknown>>;
}
