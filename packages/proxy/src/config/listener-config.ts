/**
 * envoy.config.listener.v3.Listener → ListenerConfig. Pure.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/listener/v3/listener.proto
 */
import { compileRbac, type RbacConfig } from "../filters/rbac.ts";
import { type AccessLogConfig, compileAccessLogs } from "./access-log-config.ts";
import { type Address, compileAddress } from "./address.ts";
import type { Fields } from "./fields.ts";
import { compileFilterChainMatch, type FilterChainMatch } from "./filter-chain-match.ts";
import { compileHcm, type HcmConfig } from "./hcm-config.ts";
import { compileTcpProxy, type TcpProxyConfig } from "./tcp-proxy-config.ts";
import { compileTransportSocket, type TransportSocketConfig } from "./tls-config.ts";

export interface ListenerConfig {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly bindsToPort: boolean;
  readonly usesOriginalDst: boolean;
  readonly direction: "UNSPECIFIED" | "INBOUND" | "OUTBOUND";
  readonly chains: readonly FilterChainConfig[];
  readonly defaultChain: FilterChainConfig | undefined;
  /** Decides per destination port, from filter_disabled. */
  readonly inspectsTls: (port: number) => boolean;
  readonly inspectsHttp: (port: number) => boolean;
  /** The proxy_protocol listener filter; undefined: none. */
  readonly proxyProtocol: { readonly allowsAbsent: boolean } | undefined;
  /** 0: wait for ever. */
  readonly inspectTimeoutMs: number;
  readonly continuesOnTimeout: boolean;
  readonly bufferLimit: number;
  readonly accessLogs: readonly AccessLogConfig[];
  readonly statPrefix: string;
  readonly raw: object;
}

export interface NetworkRbacConfig extends RbacConfig {
  readonly statPrefix: string;
}

export interface FilterChainConfig {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly transport: TransportSocketConfig;
  readonly transportConnectTimeoutMs: number;
  readonly filter: HcmConfig | TcpProxyConfig | undefined;
  /** Istio's TCP metrics are on (istio.stats as a network filter). */
  readonly hasIstioStats: boolean;
  readonly exchangesMetadata: boolean;
  /** Who may connect at all; judged in their order before the first byte. */
  readonly rbac: readonly NetworkRbacConfig[];
}

const DEFAULT_BUFFER_LIMIT = 1024 * 1024;

export function compileListener(fields: Fields): ListenerConfig {
  const address = compileAddress(fields.object("address"), fields);
  const more = fields.list("additional_addresses").map((item) => compileAddress(item.object("address"), item));
  const filters = fields.list("listener_filters");
  const chains = fields.list("filter_chains").map(compileChain);
  const fallback = fields.object("default_filter_chain");
  const bind = fields.boolean("bind_to_port", fields.object("deprecated_v1")?.boolean("bind_to_port", true) ?? true);
  if (chains.length === 0 && fallback === undefined) fields.problem("filter_chains", "no filter chains specified");
  rejectDuplicates(fields, chains);
  const usesTls = chains.some((c) => c.match.serverNames.length > 0 || c.match.transportProtocol === "tls");
  return {
    name: fields.required("name"),
    addresses: [address, ...more],
    bindsToPort: bind,
    usesOriginalDst:
      fields.boolean("use_original_dst") || filters.some((filter) => filterKind(filter) === "original_dst"),
    direction: fields.enumeration("traffic_direction", ["UNSPECIFIED", "INBOUND", "OUTBOUND"], "UNSPECIFIED"),
    chains,
    defaultChain: fallback === undefined ? undefined : compileChain(fallback),
    inspectsTls: inspector(filters, "tls_inspector", usesTls),
    inspectsHttp: inspector(filters, "http_inspector", false),
    proxyProtocol: compileProxyProtocol(filters),
    inspectTimeoutMs: fields.duration("listener_filters_timeout", 15_000),
    continuesOnTimeout: fields.boolean("continue_on_listener_filters_timeout"),
    bufferLimit: fields.number("per_connection_buffer_limit_bytes", DEFAULT_BUFFER_LIMIT),
    accessLogs: compileAccessLogs(fields.list("access_log")),
    statPrefix: fields.string("stat_prefix"),
    raw: fields.raw,
  };
}

function compileProxyProtocol(filters: readonly Fields[]): ListenerConfig["proxyProtocol"] {
  const found = filters.find((filter) => filterKind(filter) === "proxy_protocol");
  if (found === undefined) return undefined;
  return { allowsAbsent: found.object("typed_config")?.boolean("allow_requests_without_proxy_protocol") ?? false };
}

type ListenerFilterKind = "tls_inspector" | "http_inspector" | "proxy_protocol" | "original_dst" | "other";

function filterKind(fields: Fields): ListenerFilterKind {
  const type = fields.object("typed_config")?.typeName() ?? fields.string("name");
  for (const kind of ["tls_inspector", "http_inspector", "proxy_protocol", "original_dst"] as const) {
    if (type.includes(kind)) return kind;
  }
  return "other";
}

/** A listener filter runs unless filter_disabled says otherwise for the destination port. Envoy adds tls_inspector by itself where chains need it. */
function inspector(filters: readonly Fields[], kind: ListenerFilterKind, implicit: boolean): (port: number) => boolean {
  const found = filters.find((filter) => filterKind(filter) === kind);
  if (found === undefined) return () => implicit;
  const disabled = found.object("filter_disabled");
  if (disabled === undefined) return () => true;
  const test = compilePortPredicate(disabled);
  return (port) => !test(port);
}

function compilePortPredicate(fields: Fields): (port: number) => boolean {
  if (fields.has("any_match")) return () => fields.boolean("any_match");
  const range = fields.object("destination_port_range");
  if (range !== undefined) {
    const start = range.number("start", 0);
    const end = range.number("end", 0);
    return (port) => port >= start && port < end;
  }
  const not = fields.object("not_match");
  if (not !== undefined) {
    const inner = compilePortPredicate(not);
    return (port) => !inner(port);
  }
  const or = fields.object("or_match")?.list("rules").map(compilePortPredicate);
  if (or !== undefined) return (port) => or.some((rule) => rule(port));
  const and = fields.object("and_match")?.list("rules").map(compilePortPredicate);
  if (and !== undefined) return (port) => and.every((rule) => rule(port));
  fields.problem("", "rule is required");
  return () => false;
}

function compileChain(fields: Fields): FilterChainConfig {
  const filters = fields.list("filters");
  let filter: HcmConfig | TcpProxyConfig | undefined;
  let hasIstioStats = false;
  let exchangesMetadata = false;
  const rbac: NetworkRbacConfig[] = [];
  for (const item of filters) {
    const any = item.object("typed_config");
    const wrapped = any?.typeName().endsWith("TypedStruct") === true;
    const type = wrapped ? lastPart(any?.string("type_url") ?? "") : (any?.typeName() ?? "");
    const config = (wrapped ? any?.object("value") : any) ?? item;
    switch (type) {
      case "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager":
        filter = compileHcm(config);
        break;
      case "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy":
        filter = compileTcpProxy(config);
        break;
      case "envoy.extensions.filters.network.rbac.v3.RBAC":
        rbac.push({ ...compileRbac(config), statPrefix: config.required("stat_prefix") });
        break;
      case "stats.PluginConfig":
        hasIstioStats = true;
        break;
      case "envoy.tcp.metadataexchange.config.MetadataExchange":
        exchangesMetadata = true;
        break;
      default:
        item.problem(
          "typed_config",
          `Didn't find a registered network filter implementation for '${item.string("name")}' with type URL: '${type}'`,
        );
    }
  }
  return {
    name: fields.string("name"),
    match: compileFilterChainMatch(fields.object("filter_chain_match")),
    transport: compileTransportSocket(fields.object("transport_socket")),
    transportConnectTimeoutMs: fields.duration("transport_socket_connect_timeout", 0),
    filter,
    hasIstioStats,
    exchangesMetadata,
    rbac,
  };
}

function lastPart(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

function rejectDuplicates(fields: Fields, chains: readonly FilterChainConfig[]): void {
  const seen = new Map<string, string>();
  fields.list("filter_chains").forEach((item, index) => {
    const key = JSON.stringify(item.object("filter_chain_match")?.raw ?? {});
    const name = chains[index]?.name ?? "";
    const other = seen.get(key);
    if (other !== undefined)
      item.problem("", `filter chain '${name}' has the same matching rules defined as '${other}'`);
    seen.set(key, name);
  });
}
