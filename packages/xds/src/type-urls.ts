/**
 * Type URLs of the resources that move over ADS, their short names (metrics, proxy-status), and the order in which updates go out.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
 */
export const TYPE_URL_PREFIX = "type.googleapis.com/";

export const CLUSTER_TYPE = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const ENDPOINT_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
export const LISTENER_TYPE = "type.googleapis.com/envoy.config.listener.v3.Listener";
export const ROUTE_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
export const SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
export const EXTENSION_CONFIG_TYPE = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
export const NAME_TABLE_TYPE = "type.googleapis.com/istio.networking.nds.v1.NameTable";

/** Make before break: what is pointed at goes out before what points at it. */
export const PUSH_ORDER: readonly string[] = [
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  SECRET_TYPE,
  EXTENSION_CONFIG_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  NAME_TABLE_TYPE,
];

/** Types for which "everything meant for me" is a subscription: an empty first request means `*`. */
export const WILDCARD_TYPES: ReadonlySet<string> = new Set([CLUSTER_TYPE, LISTENER_TYPE, NAME_TABLE_TYPE]);

const SHORT_NAMES: Readonly<Record<string, string>> = {
  [CLUSTER_TYPE]: "cds",
  [ENDPOINT_TYPE]: "eds",
  [LISTENER_TYPE]: "lds",
  [ROUTE_TYPE]: "rds",
  [SECRET_TYPE]: "sds",
  [EXTENSION_CONFIG_TYPE]: "ecds",
  [NAME_TABLE_TYPE]: "nds",
};

/** `cds`, `lds` …; the last part of the message name for any other type. */
export function shortTypeName(typeUrl: string): string {
  return SHORT_NAMES[typeUrl] ?? typeUrl.slice(typeUrl.lastIndexOf(".") + 1).toLowerCase();
}

/** `type.googleapis.com/a.b.C` → `a.b.C`; a bare name stays. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

/** Position in PUSH_ORDER; unknown types go last. */
export function pushRank(typeUrl: string): number {
  const rank = PUSH_ORDER.indexOf(typeUrl);
  return rank === -1 ? PUSH_ORDER.length : rank;
}
