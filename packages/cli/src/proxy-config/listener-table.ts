/** `proxy-config listeners`: a row a filter chain, in istioctl's columns and words. */
import type { ChainView, ListenerView, MatchView } from "./config-view.ts";

export interface ListenerFilter {
  readonly port: number | undefined;
  readonly address: string | undefined;
}

export function listenerRows(
  listeners: readonly ListenerView[],
  filter: ListenerFilter,
): readonly (readonly string[])[] {
  const rows = listeners
    .map((listener) => ({ listener, at: listener.address?.socket_address }))
    .filter(({ at }) => filter.port === undefined || at?.port_value === filter.port)
    .filter(({ at }) => filter.address === undefined || at?.address === filter.address)
    .sort((a, b) => (a.at?.port_value ?? 0) - (b.at?.port_value ?? 0) || compare(a.at?.address, b.at?.address))
    .flatMap(({ listener, at }) => {
      const last = listener.default_filter_chain;
      return [...(listener.filter_chains ?? []), ...(last === undefined ? [] : [last])].map((chain) => [
        at?.address ?? "",
        String(at?.port_value ?? ""),
        matchText(chain.filter_chain_match),
        destinationText(chain),
      ]);
    });
  return [["ADDRESSES", "PORT", "MATCH", "DESTINATION"], ...rows];
}

const MESH_HTTP = "istio-http/1.0,istio-http/1.1,istio-h2";
const PLAIN_HTTP = "http/1.1,h2c";

function matchText(match: MatchView | undefined): string {
  if (match === undefined) return "ALL";
  const { server_names: names = [], transport_protocol: transport = "", application_protocols: apps = [] } = match;
  const parts: string[] = [];
  if (names.length > 0) parts.push(`SNI: ${names.join(",")}`);
  if (transport !== "") parts.push(`Trans: ${transport}`);
  if (apps.length > 0) parts.push(`App: ${appsText(apps)}`);
  const port = match.destination_port === undefined ? "" : `:${match.destination_port}`;
  const ranges = match.prefix_ranges ?? [];
  if (ranges.length > 0)
    parts.push(`Addr: ${ranges.map((range) => `${range.address_prefix}/${range.prefix_len ?? 0}${port}`).join(",")}`);
  else if (port !== "") parts.push(`Addr: *${port}`);
  return parts.length === 0 ? "ALL" : parts.join("; ");
}

function appsText(apps: readonly string[]): string {
  const text = apps.join(",");
  if (text === MESH_HTTP) return "HTTP TLS";
  if (text === PLAIN_HTTP) return "HTTP";
  return apps.every((name) => name.startsWith("istio")) ? "TCP TLS" : text;
}

function destinationText(chain: ChainView): string {
  for (const { typed_config: config } of chain.filters ?? []) {
    if (config?.rds !== undefined) return `Route: ${config.rds.route_config_name ?? ""}`;
    if (config?.route_config !== undefined) {
      const [host] = config.route_config.virtual_hosts ?? [];
      const prefix = host?.routes?.[0]?.match?.prefix ?? "/";
      return `Inline Route: ${prefix}*`;
    }
    const cluster = config?.cluster ?? config?.weighted_clusters?.clusters?.map(({ name }) => name).join(",");
    if (cluster !== undefined && cluster !== "")
      return cluster.includes("|") || cluster.includes("_.") ? `Cluster: ${cluster}` : cluster;
  }
  return "Non-HTTP/Non-TCP";
}

function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
