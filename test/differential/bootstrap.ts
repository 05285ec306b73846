/** The one bootstrap that both proxies get: a listener for each set of connection manager options, once for every lane. */
import { routeTable } from "./routes.ts";

const TYPE = "type.googleapis.com/envoy";

/** A lane is one set of listeners and backends, so that several cases can run at once without seeing each other. */
export interface Lane {
  readonly listeners: Readonly<Record<string, number>>;
  readonly backends: Readonly<Record<BackendName, number>>;
  readonly accessLog: string;
}

export const BACKENDS = ["a", "b", "c"] as const;
export type BackendName = (typeof BACKENDS)[number];

const slashes = (action: string) => ({
  normalize_path: true,
  merge_slashes: true,
  path_with_escaped_slashes_action: action,
});
const internal = { internal_address_config: { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] } };

/** Connection manager options by listener. `main` is a sidecar's outbound listener as Istio has it. */
interface Hcm {
  readonly http_protocol_options?: object;
}

const HCM: Readonly<Record<string, object>> = {
  main: {},
  edge: { use_remote_address: true },
  edge1: { use_remote_address: true, xff_num_trusted_hops: 1 },
  edge2: { use_remote_address: true, xff_num_trusted_hops: 2 },
  inside: { use_remote_address: true, ...internal },
  trusting: { xff_num_trusted_hops: 1, ...internal },
  normal: { normalize_path: true },
  merged: { normalize_path: true, merge_slashes: true },
  forward: slashes("UNESCAPE_AND_FORWARD"),
  redirect: slashes("UNESCAPE_AND_REDIRECT"),
  reject: slashes("REJECT_REQUEST"),
  http10: { http_protocol_options: { accept_http_10: true, default_host_for_http_10: "shop" } },
  limits: { max_request_headers_kb: 4, common_http_protocol_options: { max_headers_count: 10 } },
  continue: { proxy_100_continue: true },
  upgrade: { upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "CONNECT" }] },
  timers: {
    stream_idle_timeout: "0.15s",
    request_headers_timeout: "0.1s",
    drain_timeout: "0.1s",
    common_http_protocol_options: { idle_timeout: "0.3s" },
  },
  request: { request_timeout: "0.1s" },
  once: { common_http_protocol_options: { max_requests_per_connection: 2 } },
  port: { strip_any_host_port: true },
  absent: { server_header_transformation: "APPEND_IF_ABSENT", via: "hop", always_set_request_id_in_response: true },
  through: { server_header_transformation: "PASS_THROUGH", generate_request_id: false },
  reject_underscore: { common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" } },
  drop_underscore: { common_http_protocol_options: { headers_with_underscores_action: "DROP_HEADER" } },
};

export const LISTENERS: readonly string[] = Object.keys(HCM);

export function differentialBootstrap(lanes: readonly Lane[], closedPort: number): object {
  return {
    node: { id: "differential", cluster: "differential" },
    static_resources: {
      listeners: lanes.flatMap((lane, index) =>
        LISTENERS.map((name) =>
          listener(`${name}-${index}`, lane.listeners[name] ?? 0, connectionManager(name, index, lane)),
        ),
      ),
      clusters: lanes.flatMap((lane, index) => [
        ...BACKENDS.map((name) => cluster(`${name}-${index}`, [lane.backends[name]])),
        cluster(`empty-${index}`, []),
        cluster(`closed-${index}`, [closedPort]),
      ]),
    },
  };
}

function connectionManager(name: string, index: number, lane: Lane): object {
  const filter = (kind: string, type: string) => ({
    name: `envoy.filters.http.${kind}`,
    typed_config: { "@type": `${TYPE}.extensions.filters.http.${kind}.v3.${type}` },
  });
  return {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: inLane(routeTable(), index),
    http_filters: [filter("cors", "Cors"), filter("fault", "HTTPFault"), filter("router", "Router")],
    access_log: [
      {
        name: "envoy.access_loggers.file",
        typed_config: {
          "@type": `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`,
          path: lane.accessLog,
          log_format: {
            text_format_source: { inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n" },
          },
        },
      },
    ],
    // Trailers always pass ours; Envoy is asked to.
    ...HCM[name],
    http_protocol_options: { enable_trailers: true, ...(HCM[name] as Hcm | undefined)?.http_protocol_options },
  };
}

/** Gives the clusters of a route table their lane's names. `cluster_header` is left: its cases name the cluster whole. */
function inLane(table: object, index: number): object {
  return JSON.parse(
    JSON.stringify(table, (key, value: unknown) => {
      if (key === "cluster" && typeof value === "string") return `${value}-${index}`;
      if (key === "clusters" && Array.isArray(value))
        return value.map((item: { name: string }) => ({ ...item, name: `${item.name}-${index}` }));
      return value;
    }),
  ) as object;
}

function listener(name: string, port: number, manager: object): object {
  return {
    name,
    address: socketAddress(port),
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
}

function cluster(name: string, ports: readonly number[]): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: { enable_trailers: true } },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: socketAddress(port) } })) }],
    },
  };
}

function socketAddress(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
