/**
 * One connection with one request through the listeners of one proxy, without sockets: which listener, filter chain, virtual host, route
 * and cluster it meets, or why it fails. The listener and its chain are picked as Envoy does (the proxy's own code compiles and matches);
 * what the caller sends by default is what Istio's simulation sends (pilot/pkg/simulation).
 */
import { createHeaderBlock } from "@argyle/codec";
import { Fields } from "../../packages/proxy/src/config/fields.ts";
import { compileFilterChainMatch, findFilterChain } from "../../packages/proxy/src/config/filter-chain-match.ts";
import { authenticate } from "./authenticate.ts";
import { evaluateRoute, type RouteAnswer } from "./evaluate-route.ts";
import type { Translation } from "./mesh-translation.ts";

export interface Call {
  readonly address?: string;
  readonly port: number;
  readonly path?: string;
  readonly protocol?: "http" | "http2" | "tcp";
  readonly tls?: "plaintext" | "tls" | "mtls";
  readonly alpn?: string;
  readonly sni?: string;
  readonly hostHeader?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly callMode?: "inbound" | "outbound" | "gateway";
  /** The certificate that a mesh peer of this call trusts; default the workload's own. */
  readonly mtlsSecretConfigName?: string;
}

export interface Outcome {
  readonly listener?: string;
  readonly filterChain?: string;
  readonly routeConfig?: string;
  readonly virtualHost?: string;
  readonly route?: string;
  readonly cluster?: string;
  readonly error?: string;
  /** Status of a filter's answer. */
  readonly refusal?: number;
  /** The chain that was met, whatever came of it. */
  readonly chain?: ChainView;
  readonly answer?: RouteAnswer;
}

interface ListenerView {
  readonly name: string;
  readonly address?: AddressView;
  readonly additional_addresses?: readonly { readonly address?: AddressView }[];
  readonly filter_chains?: readonly ChainView[];
  readonly default_filter_chain?: ChainView;
  readonly listener_filters?: readonly { readonly name: string; readonly filter_disabled?: PortPredicate }[];
}
interface AddressView {
  readonly socket_address?: { readonly address?: string; readonly port_value?: number };
}
interface PortPredicate {
  readonly any_match?: boolean;
  readonly destination_port_range?: { readonly start: number; readonly end: number };
  readonly or_match?: { readonly rules: readonly PortPredicate[] };
}
export interface ChainView {
  readonly name?: string;
  readonly filter_chain_match?: object;
  readonly transport_socket?: { readonly typed_config?: TlsView };
  readonly filters?: readonly { readonly typed_config?: FilterView }[];
}
interface TlsView {
  readonly require_client_certificate?: boolean;
  readonly common_tls_context?: {
    readonly tls_certificate_sds_secret_configs?: readonly { readonly name: string }[];
  };
}
interface FilterView {
  readonly "@type"?: string;
  readonly cluster?: string;
  readonly weighted_clusters?: { readonly clusters: readonly { readonly name: string }[] };
  readonly route_config?: object & { readonly name?: string };
  readonly rds?: { readonly route_config_name: string };
}

const MESH_ALPN = { http: "istio-http/1.1", http2: "istio-h2", tcp: "istio" } as const;
const TLS_ALPN = { http: "http/1.1", http2: "h2", tcp: "" } as const;
const PLAIN_ALPN = { http: "http/1.1", http2: "h2c", tcp: "" } as const;
const SOMEWHERE = "1.3.3.7";

export function simulateCall(mesh: Translation, isRouter: boolean, call: Call): Outcome {
  const mode = call.callMode ?? (isRouter ? "gateway" : "outbound");
  const address = call.address ?? SOMEWHERE;
  const listener = findListener([...mesh.listeners.values()] as ListenerView[], mode, address, call.port);
  if (listener === undefined) return { error: "no listener matched" };
  const chain = findChain(listener, call, address);
  if (chain === undefined) return { listener: listener.name, error: "no filter chains matched" };
  const met = { listener: listener.name, filterChain: chain.name ?? "", chain };
  const isDuplicate = (listener.filter_chains ?? []).some(
    (other) =>
      other !== chain &&
      JSON.stringify(other.filter_chain_match ?? {}) === JSON.stringify(chain.filter_chain_match ?? {}) &&
      listener.default_filter_chain !== chain,
  );
  if (isDuplicate) return { ...met, error: "multiple filter chains matched" };
  const tls = call.tls ?? "plaintext";
  const protocol = call.protocol ?? "tcp";
  if (chain.transport_socket !== undefined) {
    if (tls === "plaintext") return { ...met, error: "invalid TLS" };
    if (requiresMeshPeer(chain, call.mtlsSecretConfigName ?? "default") !== (tls === "mtls"))
      return { ...met, error: "invalid mTLS" };
  }
  const filters = (chain.filters ?? []).map(({ typed_config }) => typed_config ?? {});
  const hcm = filters.find((filter) => filter["@type"]?.endsWith(".HttpConnectionManager"));
  if (hcm === undefined) {
    const tcp = filters.find((filter) => filter["@type"]?.endsWith(".TcpProxy"));
    return { ...met, cluster: tcp?.cluster ?? tcp?.weighted_clusters?.clusters[0]?.name ?? "" };
  }
  if (protocol === "tcp" || (tls !== "plaintext" && chain.transport_socket === undefined))
    return { ...met, error: "protocol error" };
  return { ...met, ...meetRoute(mesh, hcm, call, tls !== "plaintext") };
}

function meetRoute(mesh: Translation, hcm: FilterView, call: Call, isTls: boolean): Outcome {
  const name = hcm.rds?.route_config_name ?? "";
  const config = hcm.route_config ?? mesh.route(name);
  const met = hcm.route_config === undefined ? { routeConfig: name } : {};
  if (config === undefined) return { ...met, error: "no virtual host matched" };
  const authenticated = authenticate(hcm, {
    method: call.method ?? "GET",
    path: call.path ?? "/",
    authority: call.hostHeader ?? "",
    scheme: isTls ? "https" : "http",
    headers: createHeaderBlock(Object.entries(call.headers ?? {}).map(([key, value]) => [key.toLowerCase(), value])),
  });
  if (authenticated.kind === "refused") return { ...met, refusal: authenticated.status };
  const answer = evaluateRoute(config, authenticated.request);
  const found = { ...met, answer, virtualHost: answer.foundHost };
  switch (answer.kind) {
    case "no-host":
      return { ...met, answer, error: "no virtual host matched" };
    case "no-route":
      return { ...found, error: "no route matched" };
    case "tls-required":
      return { ...found, error: "tls required, sending 301" };
    case "redirect":
    case "direct":
      return { ...found, route: answer.routeName };
    case "route":
      return { ...found, route: answer.routeName, cluster: answer.cluster };
  }
}

function findListener(
  listeners: readonly ListenerView[],
  mode: "inbound" | "outbound" | "gateway",
  address: string,
  port: number,
): ListenerView | undefined {
  const named = (name: string) => listeners.find((listener) => listener.name === name);
  if (mode === "inbound") return named("virtualInbound");
  const at = (wanted: string) =>
    listeners.find((listener) =>
      [listener.address, ...(listener.additional_addresses ?? []).map((more) => more.address)].some(
        (held) => held?.socket_address?.address === wanted && held.socket_address.port_value === port,
      ),
    );
  const bound = at(address) ?? at("0.0.0.0") ?? at("::");
  return mode === "gateway" ? bound : (bound ?? named("virtualOutbound"));
}

function findChain(listener: ListenerView, call: Call, address: string): ChainView | undefined {
  const inspects = (name: string) =>
    (listener.listener_filters ?? []).some(
      (filter) => filter.name === name && !isDisabled(filter.filter_disabled, call.port),
    );
  const seesTls = inspects("envoy.filters.listener.tls_inspector");
  const seesHttp = inspects("envoy.filters.listener.http_inspector");
  const { tls = "plaintext", protocol = "tcp" } = call;
  const isTls = tls !== "plaintext";
  const sent = call.alpn ?? (tls === "mtls" ? MESH_ALPN : TLS_ALPN)[protocol];
  const alpn = isTls ? (seesTls ? sent : "") : seesHttp ? PLAIN_ALPN[protocol] : "";
  const sni = call.sni ?? (tls === "tls" ? (call.hostHeader ?? "") : "");
  const sink = { problems: [] };
  const chains = (listener.filter_chains ?? []).map((view) => ({
    view,
    match: compileFilterChainMatch(
      view.filter_chain_match === undefined ? undefined : new Fields(view.filter_chain_match, "", sink),
    ),
  }));
  const found = findFilterChain(chains, {
    destinationIp: address,
    destinationPort: call.port,
    sourceIp: "9.9.9.9",
    sourcePort: 40_000,
    serverName: seesTls && isTls ? sni : "",
    transportProtocol: seesTls && isTls ? "tls" : "raw_buffer",
    applicationProtocols: alpn === "" ? [] : [alpn],
  });
  return found?.view ?? listener.default_filter_chain;
}

function isDisabled(predicate: PortPredicate | undefined, port: number): boolean {
  if (predicate === undefined) return false;
  if (predicate.any_match === true) return true;
  if (predicate.or_match !== undefined) return predicate.or_match.rules.some((rule) => isDisabled(rule, port));
  const range = predicate.destination_port_range;
  return range !== undefined && port >= range.start && port < range.end;
}

function requiresMeshPeer(chain: ChainView, secret: string): boolean {
  const context = chain.transport_socket?.typed_config;
  const [first] = context?.common_tls_context?.tls_certificate_sds_secret_configs ?? [];
  return first?.name === secret && context?.require_client_certificate === true;
}
