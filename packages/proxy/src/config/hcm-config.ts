/**
 * envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, compiled.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
 */
import type { PathOptions } from "../http/path-normalization.ts";
import { type AccessLogConfig, compileAccessLogs } from "./access-log-config.ts";
import { type CidrRange, compileCidr } from "./address.ts";
import type { Fields } from "./fields.ts";
import { type AlpnOffers, compileHttpFilter, type HttpFilterConfig } from "./http-filter-config.ts";
import { compileHttp2, type Http2Config } from "./http2-config.ts";
import { compileRouteTable, type RouteTable } from "./route-config.ts";
import { compileTracing, type TracingConfig } from "./tracing-config.ts";

export interface HcmConfig {
  readonly kind: "http";
  readonly statPrefix: string;
  readonly codecType: (typeof CODECS)[number];
  readonly http2: Http2Config;
  readonly routes:
    | { readonly kind: "inline"; readonly table: RouteTable }
    | { readonly kind: "rds"; readonly name: string };
  readonly filters: readonly HttpFilterConfig[];
  readonly accessLogs: readonly AccessLogConfig[];
  readonly useRemoteAddress: boolean;
  readonly xffTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly internalRanges: readonly CidrRange[];
  readonly serverName: string;
  readonly serverHeader: "OVERWRITE" | "APPEND_IF_ABSENT" | "PASS_THROUGH";
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly requestIdInResponse: boolean;
  readonly path: PathOptions;
  readonly stripsPort: boolean;
  readonly acceptsHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly clientCert: ClientCertForwarding;
  readonly idleTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly drainTimeoutMs: number;
  readonly maxRequestHeadBytes: number;
  readonly maxRequestHeaders: number;
  readonly underscores: (typeof UNDERSCORES)[number];
  readonly proxy100Continue: boolean;
  readonly tracing: TracingConfig | undefined;
  /** istio.alpn: replaces the ALPN of the cluster's transport socket, by the protocol spoken upstream. */
  readonly upstreamAlpn: AlpnOffers | undefined;
  readonly via: string;
}

export interface ClientCertForwarding {
  readonly mode: (typeof XFCC_MODES)[number];
  readonly subject: boolean;
  readonly uri: boolean;
  readonly dns: boolean;
  readonly cert: boolean;
}

const UNDERSCORES = ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"] as const;
const XFCC_MODES = ["SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"] as const;
const CODECS = ["AUTO", "HTTP1", "HTTP2", "HTTP3"] as const;
const SLASHES = {
  IMPLEMENTATION_SPECIFIC_DEFAULT: "keep",
  KEEP_UNCHANGED: "keep",
  REJECT_REQUEST: "reject",
  UNESCAPE_AND_REDIRECT: "redirect",
  UNESCAPE_AND_FORWARD: "forward",
} as const;
const SLASH_NAMES = [
  "IMPLEMENTATION_SPECIFIC_DEFAULT",
  "KEEP_UNCHANGED",
  "REJECT_REQUEST",
  "UNESCAPE_AND_REDIRECT",
  "UNESCAPE_AND_FORWARD",
] as const;

export function compileHcm(fields: Fields): HcmConfig {
  const protocol = fields.object("common_http_protocol_options");
  const http1 = fields.object("http_protocol_options");
  const tracing = fields.object("tracing");
  const cert = fields.object("set_current_client_cert_details");
  const filters = compileFilters(fields);
  const maxRequestHeadBytes = fields.number("max_request_headers_kb", 60) * 1024;
  const codecType = fields.enumeration("codec_type", CODECS, "AUTO");
  if (codecType === "HTTP3") fields.problem("codec_type", "HTTP/3 needs QUIC, which is not supported");
  return {
    kind: "http",
    statPrefix: fields.required("stat_prefix"),
    codecType,
    http2: compileHttp2(
      fields.object("http2_protocol_options"),
      maxRequestHeadBytes,
      protocol?.number("max_headers_count", 100) ?? 100,
    ),
    routes: compileRoutes(fields),
    filters,
    accessLogs: compileAccessLogs(fields.list("access_log")),
    useRemoteAddress: fields.boolean("use_remote_address"),
    xffTrustedHops: fields.number("xff_num_trusted_hops", 0),
    skipXffAppend: fields.boolean("skip_xff_append"),
    internalRanges: fields.object("internal_address_config")?.list("cidr_ranges").map(compileCidr) ?? [],
    serverName: fields.string("server_name", "envoy") || "envoy",
    serverHeader: fields.enumeration(
      "server_header_transformation",
      ["OVERWRITE", "APPEND_IF_ABSENT", "PASS_THROUGH"],
      "OVERWRITE",
    ),
    generateRequestId: fields.boolean("generate_request_id", true),
    preserveExternalRequestId: fields.boolean("preserve_external_request_id"),
    requestIdInResponse: fields.boolean("always_set_request_id_in_response"),
    path: {
      normalize: fields.boolean("normalize_path"),
      mergeSlashes: fields.boolean("merge_slashes"),
      escapedSlashes: SLASHES[fields.enumeration("path_with_escaped_slashes_action", SLASH_NAMES, "KEEP_UNCHANGED")],
    },
    stripsPort: fields.boolean("strip_any_host_port") || fields.boolean("strip_matching_host_port"),
    acceptsHttp10: http1?.boolean("accept_http_10") ?? false,
    defaultHostForHttp10: http1?.string("default_host_for_http_10") ?? "",
    upgrades: new Map(
      fields
        .list("upgrade_configs")
        .map((item) => [item.string("upgrade_type").toLowerCase(), item.boolean("enabled", true)]),
    ),
    clientCert: {
      mode: fields.enumeration("forward_client_cert_details", XFCC_MODES, "SANITIZE"),
      subject: cert?.boolean("subject") ?? false,
      uri: cert?.boolean("uri") ?? false,
      dns: cert?.boolean("dns") ?? false,
      cert: cert?.boolean("cert") ?? false,
    },
    idleTimeoutMs: protocol?.duration("idle_timeout", 3_600_000) ?? 3_600_000,
    streamIdleTimeoutMs: fields.duration("stream_idle_timeout", 300_000),
    requestTimeoutMs: fields.duration("request_timeout", 0),
    requestHeadersTimeoutMs: fields.duration("request_headers_timeout", 0),
    maxStreamDurationMs: protocol?.duration("max_stream_duration", 0) ?? 0,
    maxConnectionDurationMs: protocol?.duration("max_connection_duration", 0) ?? 0,
    maxRequestsPerConnection: protocol?.number("max_requests_per_connection", 0) ?? 0,
    drainTimeoutMs: fields.duration("drain_timeout", 5000),
    maxRequestHeadBytes,
    maxRequestHeaders: protocol?.number("max_headers_count", 100) ?? 100,
    underscores: protocol?.enumeration("headers_with_underscores_action", UNDERSCORES, "ALLOW") ?? "ALLOW",
    proxy100Continue: fields.boolean("proxy_100_continue"),
    tracing: tracing === undefined ? undefined : compileTracing(tracing),
    upstreamAlpn: filters.find((filter) => filter.kind === "alpn")?.offers,
    via: fields.string("via"),
  };
}

function compileRoutes(fields: Fields): HcmConfig["routes"] {
  const rds = fields.object("rds");
  if (rds !== undefined) return { kind: "rds", name: rds.required("route_config_name") };
  const inline = fields.object("route_config");
  if (inline === undefined) fields.problem("route_specifier", "value is required");
  return { kind: "inline", table: compileRouteTable(inline ?? fields) };
}

function compileFilters(fields: Fields): readonly HttpFilterConfig[] {
  const list = fields.list("http_filters");
  const filters = list.map(compileHttpFilter);
  const last = filters.at(-1);
  if (last === undefined || last.kind !== "router")
    fields.problem("http_filters", "the last filter must be the terminal filter envoy.filters.http.router");
  return filters.filter((filter) => filter.kind !== "none");
}
