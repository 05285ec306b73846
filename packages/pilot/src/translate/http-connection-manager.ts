/**
 * The HTTP connection manager of each kind of listener, with Istio's filter order:
 * peer metadata, jwt_authn, rbac, grpc_stats, alpn, fault, cors, stats, router.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
 */
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshConfig } from "../model/mesh-config.ts";
import { authorizationFilters } from "./authz/authorization.ts";
import { jwtFilters } from "./authz/jwt.ts";
import type { TranslateContext } from "./context.ts";
import { accessLog, istioHttpFilters, type TrafficClass, tracing } from "./telemetry.ts";
import { ADS_CONFIG_SOURCE } from "./tls-context.ts";

export interface HttpConnectionManagerOptions {
  readonly context: TranslateContext;
  readonly traffic: TrafficClass;
  readonly statPrefix: string;
  /** A name to be fetched by RDS, or the configuration itself. */
  readonly routes: { readonly rds: string } | { readonly inline: EnvoyMessage };
}

export function httpConnectionManager(options: HttpConnectionManagerOptions): EnvoyMessage {
  const { context, traffic, statPrefix, routes } = options;
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: `${statPrefix};`,
      ...("rds" in routes
        ? { rds: { config_source: ADS_CONFIG_SOURCE, route_config_name: routes.rds } }
        : { route_config: routes.inline }),
      http_filters: httpFilters(context, traffic),
      tracing: tracing(context, undefined),
      access_log: accessLog(context.state.mesh),
      stream_idle_timeout: "0s",
      ...pathSettings(context.state.mesh.pathNormalization),
      request_id_extension: {
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
          use_request_id_for_trace_sampling: true,
        },
      },
      upgrade_configs: [{ upgrade_type: "websocket" }],
      ...edgeSettings(traffic),
    },
  };
}

/** Spec: istio.io reference, MeshConfig.ProxyPathNormalization. */
function pathSettings(normalization: MeshConfig["pathNormalization"]): EnvoyMessage {
  if (normalization === "NONE") return { normalize_path: false };
  const decodes = normalization === "DECODE_AND_MERGE_SLASHES";
  return {
    normalize_path: true,
    merge_slashes: normalization === "BASE" ? undefined : true,
    path_with_escaped_slashes_action: decodes ? "UNESCAPE_AND_FORWARD" : "KEEP_UNCHANGED",
  };
}

/** Whom the listener believes about the client: a gateway nobody, an inbound listener the peer that mTLS proved. */
function edgeSettings(traffic: TrafficClass): EnvoyMessage {
  switch (traffic) {
    case "GATEWAY":
      return {
        server_name: "istio-envoy",
        use_remote_address: true,
        forward_client_cert_details: "SANITIZE_SET",
        set_current_client_cert_details: { subject: true, cert: true, dns: true, uri: true },
        http_protocol_options: {},
      };
    case "SIDECAR_INBOUND":
      return {
        server_name: "istio-envoy",
        use_remote_address: false,
        forward_client_cert_details: "APPEND_FORWARD",
        set_current_client_cert_details: { subject: true, dns: true, uri: true },
        proxy_100_continue: true,
      };
    case "SIDECAR_OUTBOUND":
      return { use_remote_address: false };
  }
}

function httpFilters(context: TranslateContext, traffic: TrafficClass): readonly EnvoyMessage[] {
  const istio = istioHttpFilters(context.node, traffic);
  return [
    ...istio.first.filter((filter) => filter.name === "istio.metadata_exchange"),
    ...(traffic === "SIDECAR_OUTBOUND" ? [] : [...jwtFilters(context), ...authorizationFilters(context, "http")]),
    filter("envoy.filters.http.grpc_stats", "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", {
      emit_filter_state: true,
      stats_for_all_methods: false,
    }),
    ...istio.first.filter((filter) => filter.name !== "istio.metadata_exchange"),
    filter("envoy.filters.http.fault", "envoy.extensions.filters.http.fault.v3.HTTPFault", {}),
    filter("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors", {}),
    ...istio.beforeRouter,
    filter("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", {}),
  ];
}

function filter(name: string, type: string, config: EnvoyMessage): EnvoyMessage {
  return { name, typed_config: { "@type": `type.googleapis.com/${type}`, ...config } };
}
