/**
 * Telemetry in listeners and clusters: the access log, tracing, and the Istio filters that label metrics with the peer.
 * Filters that a vanilla Envoy lacks go only to proxies that announce them (node metadata ARGYLE_FILTERS).
 * Spec: istio.io, Envoy Access Logs; Istio's default log format is in the reference of meshConfig.accessLogFormat.
 */
import { ISTIO_DEFAULT_FORMAT } from "@argyle/telemetry";
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshConfig } from "../model/mesh-config.ts";
import type { ProxyView, TranslateContext } from "./context.ts";
import { clusterName } from "./names.ts";

export type TrafficClass = "SIDECAR_OUTBOUND" | "SIDECAR_INBOUND" | "GATEWAY";

const JSON_LOG_FIELDS: EnvoyMessage = {
  start_time: "%START_TIME%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  route_name: "%ROUTE_NAME%",
};

/** Undefined when access logging is off. */
export function accessLog(mesh: MeshConfig): readonly EnvoyMessage[] | undefined {
  if (mesh.accessLogFile === "") return undefined;
  return [fileAccessLog(mesh)];
}

/** On a listener only what no filter chain took is logged (response flag NR); the filters log the rest. */
export function listenerAccessLog(mesh: MeshConfig): readonly EnvoyMessage[] | undefined {
  if (mesh.accessLogFile === "") return undefined;
  return [{ ...fileAccessLog(mesh), filter: { response_flag_filter: { flags: ["NR"] } } }];
}

function fileAccessLog(mesh: MeshConfig): EnvoyMessage {
  const format =
    mesh.accessLogEncoding === "JSON"
      ? { json_format: JSON_LOG_FIELDS }
      : {
          text_format_source: {
            inline_string: mesh.accessLogFormat === "" ? ISTIO_DEFAULT_FORMAT : withNewline(mesh.accessLogFormat),
          },
        };
  return {
    name: "envoy.access_loggers.file",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path: mesh.accessLogFile,
      log_format: format,
    },
  };
}

/** Sampling, and the collector when the mesh names one that is a service of the mesh. */
export function tracing(context: TranslateContext, operation: string | undefined): EnvoyMessage | undefined {
  const { mesh, services } = context.state;
  if (!mesh.enableTracing) return undefined;
  const collector = zipkinService(mesh.zipkinAddress, mesh.domain);
  const isKnown = collector !== undefined && services.some((service) => service.hostname === collector.hostname);
  return {
    operation_name: operation,
    client_sampling: { value: 100 },
    random_sampling: { value: mesh.traceSampling },
    overall_sampling: { value: 100 },
    custom_tags: istioTags(context),
    provider: !isKnown
      ? undefined
      : {
          name: "envoy.tracers.zipkin",
          typed_config: {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            collector_cluster: clusterName("outbound", collector.port, undefined, collector.hostname),
            collector_hostname: collector.hostname,
            collector_endpoint: "/api/v2/spans",
            collector_endpoint_version: "HTTP_JSON",
            trace_id_128bit: true,
            shared_span_context: false,
          },
        },
  };
}

/** Tags that Istio puts on every span. */
function istioTags({ node, state }: TranslateContext): readonly EnvoyMessage[] {
  const literal = (tag: string, value: string) => ({ tag, literal: { value } });
  const labels = node.labels;
  return [
    literal("istio.canonical_revision", labels["service.istio.io/canonical-revision"] ?? labels.version ?? "latest"),
    literal(
      "istio.canonical_service",
      labels["service.istio.io/canonical-name"] ?? labels.app ?? textOf(node.metadata.WORKLOAD_NAME) ?? "unknown",
    ),
    literal("istio.cluster_id", state.mesh.clusterId),
    literal("istio.mesh_id", textOf(node.metadata.MESH_ID) ?? state.mesh.trustDomain),
    literal("istio.namespace", node.namespace),
  ];
}

/** Filters of the HTTP chain that need our proxy, in Istio's order: before `fault`, and before the router. */
export function istioHttpFilters(
  node: ProxyView,
  traffic: TrafficClass,
): { readonly first: readonly EnvoyMessage[]; readonly beforeRouter: readonly EnvoyMessage[] } {
  const first: EnvoyMessage[] = [];
  const beforeRouter: EnvoyMessage[] = [];
  if (node.filters.has("istio.metadata_exchange")) {
    const discovery = [{ istio_headers: {} }, { workload_discovery: {} }];
    first.push(
      typedStruct(
        "istio.metadata_exchange",
        "type.googleapis.com/io.istio.http.peer_metadata.Config",
        traffic === "SIDECAR_INBOUND"
          ? { downstream_discovery: discovery, downstream_propagation: [{ istio_headers: {} }] }
          : {
              upstream_discovery: discovery,
              upstream_propagation: [{ istio_headers: { skip_external_clusters: traffic === "GATEWAY" || undefined } }],
            },
      ),
    );
  }
  if (traffic !== "SIDECAR_INBOUND" && node.filters.has("istio.alpn")) {
    first.push(
      typedStruct("istio.alpn", "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig", {
        alpn_override: [
          { upstream_protocol: "HTTP10", alpn_override: ["istio-http/1.0", "istio", "http/1.0"] },
          { upstream_protocol: "HTTP11", alpn_override: ["istio-http/1.1", "istio", "http/1.1"] },
          { upstream_protocol: "HTTP2", alpn_override: ["istio-h2", "istio", "h2"] },
        ],
      }),
    );
  }
  if (node.filters.has("istio.stats")) beforeRouter.push(statsFilter(traffic));
  return { first, beforeRouter };
}

/** The same for TCP chains. */
export function istioNetworkFilters(node: ProxyView, traffic: TrafficClass): readonly EnvoyMessage[] {
  const out: EnvoyMessage[] = [];
  if (traffic === "SIDECAR_INBOUND" && node.filters.has("istio.metadata_exchange")) out.push(metadataExchange());
  if (node.filters.has("istio.stats")) out.push(statsFilter(traffic));
  return out;
}

/** Upstream filters of clusters: TCP peers tell each other who they are (ALPN istio-peer-exchange). */
export function metadataExchangeFilters(node: ProxyView): readonly EnvoyMessage[] | undefined {
  return node.filters.has("istio.metadata_exchange") ? [metadataExchange()] : undefined;
}

function metadataExchange(): EnvoyMessage {
  return typedStruct(
    "istio.metadata_exchange",
    "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange",
    { enable_discovery: true, protocol: "istio-peer-exchange" },
  );
}

function statsFilter(traffic: TrafficClass): EnvoyMessage {
  const value: EnvoyMessage = traffic === "GATEWAY" ? { disable_host_header_fallback: true } : {};
  return typedStruct("istio.stats", "type.googleapis.com/stats.PluginConfig", value);
}

function typedStruct(name: string, typeUrl: string, value: EnvoyMessage): EnvoyMessage {
  return {
    name,
    typed_config: { "@type": "type.googleapis.com/udpa.type.v1.TypedStruct", type_url: typeUrl, value },
  };
}

/** `zipkin.istio-system:9411` as a service of the cluster. */
function zipkinService(
  address: string,
  domain: string,
): { readonly hostname: string; readonly port: number } | undefined {
  const match = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?:(\d+)$/.exec(address);
  if (match === null) return undefined;
  return { hostname: `${match[1]}.${match[2]}.svc.${domain}`, port: Number(match[3]) };
}

function withNewline(format: string): string {
  return format.endsWith("\n") ? format : `${format}\n`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
