/**
 * The span of a finished request, with Envoy's name and tags and the configured ones. Pure.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/observability/tracing#what-data-each-trace-contains
 */
import type { Span } from "@argyle/telemetry";
import type { TracingConfig } from "../config/tracing-config.ts";
import type { StreamState } from "../http/stream-state.ts";
import type { TraceContext } from "../http/trace-context.ts";

export interface SpanSource {
  readonly state: StreamState;
  readonly trace: TraceContext;
  /** The route's decorator. */
  readonly operation: string | undefined;
}

export interface SpanOrigin {
  readonly config: TracingConfig;
  /** An inbound listener serves, all others call. */
  readonly kind: Span["kind"];
  readonly serviceName: string;
  readonly nodeId: string;
}

export function spanOf({ state, trace, operation }: SpanSource, origin: SpanOrigin): Span {
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    kind: origin.kind,
    name: operation ?? (origin.kind === "server" ? "ingress" : `egress ${state.authority}`),
    startTimeMs: state.startTimeMs,
    durationMs: state.durationMs ?? 0,
    tags: tagsOf(state, origin),
    serviceName: origin.serviceName,
  };
}

function tagsOf(state: StreamState, { config, nodeId }: SpanOrigin): Record<string, string> {
  const { headers, responseHeaders } = state;
  const path = (state.originalPath ?? state.path).slice(0, config.maxPathLength);
  const tags: Record<string, string> = {
    component: "proxy",
    node_id: nodeId,
    "http.url": `${state.scheme}://${state.authority}${path}`,
    "http.method": state.method,
    "http.protocol": state.protocol,
    "http.status_code": String(state.responseCode),
    response_flags: state.responseFlags,
    request_size: String(state.bytesReceived),
    response_size: String(state.bytesSent),
    "peer.address": ipOf(state.downstreamDirectRemoteAddress),
    downstream_cluster: headers.get("x-envoy-downstream-service-cluster") ?? "-",
    user_agent: headers.get("user-agent") ?? "-",
  };
  const set = (tag: string, value: string | undefined) => {
    if (value !== undefined && value !== "") tags[tag] = value;
  };
  set("guid:x-request-id", headers.get("x-request-id"));
  set("guid:x-client-trace-id", headers.get("x-client-trace-id"));
  set("upstream_cluster", state.upstreamCluster);
  set("upstream_cluster.name", state.upstreamCluster);
  if (headers.get("content-type")?.startsWith("application/grpc") === true) {
    set("grpc.status_code", state.responseTrailers?.get("grpc-status") ?? responseHeaders?.get("grpc-status"));
    set("grpc.message", state.responseTrailers?.get("grpc-message") ?? responseHeaders?.get("grpc-message"));
  }
  if (state.responseCode === 0 || state.responseCode >= 500) tags.error = "true";
  for (const custom of config.tags)
    set(custom.tag, custom.kind === "literal" ? custom.value : (headers.get(custom.header) ?? custom.fallback));
  return tags;
}

function ipOf(address: string): string {
  const colon = address.lastIndexOf(":");
  return colon === -1 ? address : address.slice(0, colon).replace(/^\[|]$/g, "");
}
