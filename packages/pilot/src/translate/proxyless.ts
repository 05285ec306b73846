/**
 * What a gRPC client gets that is its own proxy (node metadata GENERATOR "grpc", Istio's proxyless gRPC). It asks by name for one Listener
 * `host:port`, and from there for one RouteConfiguration, its clusters and their endpoints. Only what gRPC reads is sent (gRFC A27, A28):
 * it refuses clusters that are not EDS, and it has no certificates here, so connections are plaintext.
 * https://istio.io/latest/blog/2021/proxyless-grpc/
 */
import type { EnvoyMessage } from "../model/json.ts";
import { portOf } from "../model/service.ts";
import type { ProxyView, TranslateContext } from "./context.ts";
import { clusterName, parseClusterName } from "./names.ts";
import { outboundVirtualHosts } from "./route.ts";
import { domainsOf } from "./virtual-host.ts";

const HTTP_CONNECTION_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

export function isProxyless(node: Pick<ProxyView, "metadata">): boolean {
  return node.metadata.GENERATOR === "grpc";
}

/** The API listener of `host:port`; the host as the client's namespace may name a service. */
export function proxylessListener(context: TranslateContext, name: string): EnvoyMessage | undefined {
  const colon = name.lastIndexOf(":");
  const [host, port] = [name.slice(0, colon), Number(name.slice(colon + 1))];
  const { scope } = context;
  const service = scope.services.find(
    (candidate) =>
      portOf(candidate, port) !== undefined &&
      (candidate.hostname === host || domainsOf(candidate, scope.namespace, []).includes(host)),
  );
  if (service === undefined) return undefined;
  return {
    name,
    api_listener: {
      api_listener: {
        "@type": HTTP_CONNECTION_MANAGER,
        rds: {
          config_source: { ads: {} },
          route_config_name: clusterName("outbound", port, undefined, service.hostname),
        },
        http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": ROUTER } }],
      },
    },
  };
}

/** The routes of one service under the name that its listener refers to; whatever authority the client sends, it means this service. */
export function proxylessRoute(context: TranslateContext, name: string): EnvoyMessage | undefined {
  const parts = parseClusterName(name);
  if (parts?.direction !== "outbound") return undefined;
  const { port, hostname } = parts;
  const own = outboundVirtualHosts(context, port).find((virtualHost) => virtualHost.name === `${hostname}:${port}`);
  if (own === undefined) return undefined;
  return { name, virtual_hosts: [{ name: own.name, domains: ["*"], routes: own.routes }] };
}

/** Undefined for a cluster that a gRPC client can't use. */
export function proxylessCluster(cluster: EnvoyMessage): EnvoyMessage | undefined {
  if (cluster.type !== "EDS") return undefined;
  const { name } = cluster;
  return {
    name,
    type: "EDS",
    eds_cluster_config: { service_name: name, eds_config: { ads: {} } },
    lb_policy: "ROUND_ROBIN",
  };
}
