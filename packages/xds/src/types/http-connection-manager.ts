/**
 * The HTTP connection manager network filter.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
 */
import type {
  AccessLog,
  ConfigSourceSpecifier,
  Http1ProtocolOptions,
  Http2ProtocolOptions,
  HttpProtocolOptions,
  Percent,
  TypedConfig,
} from "./core.ts";
import type { ExtensionConfigSource } from "./listener.ts";
import type { RouteConfiguration } from "./route.ts";

export interface HttpConnectionManager {
  readonly stat_prefix: string;
  readonly codec_type?: "AUTO" | "HTTP1" | "HTTP2" | "HTTP3";
  readonly rds?: { readonly config_source?: ConfigSourceSpecifier; readonly route_config_name: string };
  readonly route_config?: RouteConfiguration;
  readonly http_filters?: readonly HttpFilter[];
  readonly add_user_agent?: boolean;
  readonly tracing?: HttpTracing;
  readonly common_http_protocol_options?: HttpProtocolOptions;
  readonly http_protocol_options?: Http1ProtocolOptions;
  readonly http2_protocol_options?: Http2ProtocolOptions;
  readonly server_name?: string;
  readonly server_header_transformation?: "OVERWRITE" | "APPEND_IF_ABSENT" | "PASS_THROUGH";
  readonly max_request_headers_kb?: number;
  readonly stream_idle_timeout?: string;
  readonly request_timeout?: string;
  readonly request_headers_timeout?: string;
  readonly drain_timeout?: string;
  readonly delayed_close_timeout?: string;
  readonly access_log?: readonly AccessLog[];
  readonly use_remote_address?: boolean;
  readonly xff_num_trusted_hops?: number;
  readonly skip_xff_append?: boolean;
  readonly via?: string;
  readonly generate_request_id?: boolean;
  readonly preserve_external_request_id?: boolean;
  readonly always_set_request_id_in_response?: boolean;
  readonly request_id_extension?: { readonly typed_config?: TypedConfig };
  readonly forward_client_cert_details?:
    | "SANITIZE"
    | "FORWARD_ONLY"
    | "APPEND_FORWARD"
    | "SANITIZE_SET"
    | "ALWAYS_FORWARD_ONLY";
  readonly set_current_client_cert_details?: {
    readonly subject?: boolean;
    readonly cert?: boolean;
    readonly chain?: boolean;
    readonly dns?: boolean;
    readonly uri?: boolean;
  };
  readonly proxy_100_continue?: boolean;
  readonly upgrade_configs?: readonly UpgradeConfig[];
  readonly normalize_path?: boolean;
  readonly merge_slashes?: boolean;
  readonly path_with_escaped_slashes_action?: string;
  readonly strip_matching_host_port?: boolean;
  readonly strip_any_host_port?: boolean;
  readonly local_reply_config?: LocalReplyConfig;
  readonly internal_address_config?: Readonly<Record<string, unknown>>;
  readonly append_x_forwarded_port?: boolean;
}

export interface HttpFilter {
  readonly name: string;
  readonly typed_config?: TypedConfig;
  readonly config_discovery?: ExtensionConfigSource;
  readonly is_optional?: boolean;
  readonly disabled?: boolean;
}

export interface UpgradeConfig {
  readonly upgrade_type: string;
  readonly filters?: readonly HttpFilter[];
  readonly enabled?: boolean;
}

export interface HttpTracing {
  readonly client_sampling?: Percent;
  readonly random_sampling?: Percent;
  readonly overall_sampling?: Percent;
  readonly verbose?: boolean;
  readonly max_path_tag_length?: number;
  readonly custom_tags?: readonly Readonly<Record<string, unknown>>[];
  readonly provider?: { readonly name: string; readonly typed_config?: TypedConfig };
  readonly spawn_upstream_span?: boolean;
}

export interface LocalReplyConfig {
  readonly mappers?: readonly Readonly<Record<string, unknown>>[];
  readonly body_format?: Readonly<Record<string, unknown>>;
}
