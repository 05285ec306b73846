/**
 * istiod's /debug pages about proxies: syncz (what `istioctl proxy-status` prints), adsz, connections, config_dump. Values in, JSON out;
 * the HTTP server is the caller's. Paths: https://github.com/istio/istio/wiki/Debug-endpoints
 */
import { rfc3339 } from "@argyle/core";
import {
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  EXTENSION_CONFIG_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
  shortTypeName,
  type TypeStatus,
} from "@argyle/xds";
import type { AdsConnection } from "./ads-connection.ts";
import type { AdsServer } from "./ads-server.ts";

export interface DebugAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** Undefined: not one of these pages. `path` is without the query. */
export function answerDebug(server: AdsServer, path: string, query: URLSearchParams): DebugAnswer | undefined {
  const proxy = query.get("proxyID");
  switch (path) {
    case "/debug/syncz":
      return { status: 200, json: select(server, proxy).map(syncStatus) };
    case "/debug/adsz":
      return { status: 200, json: adsz(select(server, proxy)) };
    case "/debug/connections":
      return { status: 200, json: connections(server.connections()) };
    case "/debug/config_dump":
      return configDump(server, proxy);
    default:
      return undefined;
  }
}

/** `name.namespace`, the form in which istioctl names proxies. */
export function proxyName(connection: AdsConnection): string {
  return `${connection.node.name}.${connection.node.namespace}`;
}

function select(server: AdsServer, proxy: string | null): readonly AdsConnection[] {
  return server.connections().filter((connection) => proxy === null || proxyName(connection) === proxy);
}

/** One row of proxy-status: per type the nonces that were sent and acknowledged (Istio's fields), and ours: state and reason. */
function syncStatus(connection: AdsConnection) {
  const types = new Map(connection.types().map((type) => [type.typeUrl, type]));
  const sent = (typeUrl: string) => types.get(typeUrl)?.sentNonce ?? "";
  const acked = (typeUrl: string) => types.get(typeUrl)?.ackedNonce ?? "";
  return {
    cluster_id: String(connection.node.metadata.CLUSTER_ID ?? "Kubernetes"),
    proxy: proxyName(connection),
    proxy_type: connection.node.type,
    istio_version: connection.node.istioVersion,
    cluster_sent: sent(CLUSTER_TYPE),
    cluster_acked: acked(CLUSTER_TYPE),
    listener_sent: sent(LISTENER_TYPE),
    listener_acked: acked(LISTENER_TYPE),
    route_sent: sent(ROUTE_TYPE),
    route_acked: acked(ROUTE_TYPE),
    endpoint_sent: sent(ENDPOINT_TYPE),
    endpoint_acked: acked(ENDPOINT_TYPE),
    extensionconfig_sent: sent(EXTENSION_CONFIG_TYPE),
    extensionconfig_acked: acked(EXTENSION_CONFIG_TYPE),
    types: Object.fromEntries([...types.values()].map((type) => [shortTypeName(type.typeUrl), stateOf(type)])),
  };
}

function stateOf({ state, error, isWildcard, names, sent }: TypeStatus) {
  return {
    state,
    subscribed: isWildcard ? "*" : names.size,
    resources: sent.size,
    ...(error === undefined ? {} : { error }),
  };
}

function adsz(all: readonly AdsConnection[]) {
  return {
    totalClients: all.length,
    clients: all.map((connection) => ({
      connectionId: connection.id,
      connectedAt: rfc3339(connection.connectedAt),
      address: connection.address,
      protocol: connection.mode,
      labels: connection.node.labels,
      metadata: connection.node.metadata,
      watches: Object.fromEntries(
        connection.types().map(({ typeUrl, isWildcard, names }) => [typeUrl, isWildcard ? ["*"] : [...names].sort()]),
      ),
    })),
  };
}

function connections(all: readonly AdsConnection[]) {
  return {
    totalClients: all.length,
    clients: all.map(({ id, connectedAt, address }) => ({
      connectionId: id,
      connectedAt: rfc3339(connectedAt),
      address,
    })),
  };
}

/** What istiod has for this proxy now, in the form of Envoy's own config_dump. */
function configDump(server: AdsServer, proxy: string | null): DebugAnswer {
  if (proxy === null) return { status: 400, json: { error: "you must provide a proxyID in the query string" } };
  const [connection] = select(server, proxy);
  if (connection === undefined) {
    return { status: 404, json: { error: `proxy ${proxy} is not connected to this istiod` } };
  }
  const list = (typeUrl: string) => [...server.resources(connection.node, typeUrl).values()];
  const typed = (typeUrl: string) => list(typeUrl).map((resource) => ({ "@type": typeUrl, ...resource }));
  const part = (name: string, fields: object) => ({ "@type": `type.googleapis.com/envoy.admin.v3.${name}`, ...fields });
  const configs = [
    part("ClustersConfigDump", { dynamic_active_clusters: typed(CLUSTER_TYPE).map((cluster) => ({ cluster })) }),
    part("ListenersConfigDump", {
      dynamic_listeners: typed(LISTENER_TYPE).map((listener) => ({
        name: "name" in listener ? listener.name : "",
        active_state: { listener },
      })),
    }),
    part("RoutesConfigDump", {
      dynamic_route_configs: typed(ROUTE_TYPE).map((routeConfig) => ({ route_config: routeConfig })),
    }),
    part("EndpointsConfigDump", {
      dynamic_endpoint_configs: typed(ENDPOINT_TYPE).map((endpointConfig) => ({ endpoint_config: endpointConfig })),
    }),
    part("SecretsConfigDump", {
      dynamic_active_secrets: list(SECRET_TYPE).map((secret) => ({ name: "name" in secret ? secret.name : "" })),
    }),
  ];
  return { status: 200, json: { configs } };
}
