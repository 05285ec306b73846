/** The configurations of the data plane bench: one Envoy bootstrap for Envoy and for us, and what comes closest to it in haproxy and nginx. */
const TYPE = "type.googleapis.com/envoy";
const HCM = `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;

export const HOST = "catalogue.shop.svc.cluster.local";
export const SMALL_PATH = "/api/v1/items/small";
export const LARGE_PATH = "/api/v1/items/large";

export interface EnvoyOptions {
  readonly port: number;
  readonly backend: number;
  /** Istio's own filters; stock Envoy does not have them. */
  readonly hasIstioStats: boolean;
  readonly accessLog?: string;
}

/** A sidecar's outbound listener: virtual hosts, seven routes, a weighted cluster, retries, time-outs, header edits, tracing, metrics. */
export function envoyBootstrap(options: EnvoyOptions): object {
  const istio = {
    name: "istio.stats",
    typed_config: {
      "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
      type_url: "type.googleapis.com/stats.PluginConfig",
      value: {},
    },
  };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
  };
  const log = {
    name: "file",
    typed_config: {
      "@type": `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`,
      path: options.accessLog,
      log_format: { text_format_source: { inline_string: ISTIO_LOG } },
    },
  };
  const hcm = {
    "@type": HCM,
    stat_prefix: "outbound",
    use_remote_address: false,
    normalize_path: true,
    stream_idle_timeout: "300s",
    request_headers_timeout: "60s",
    tracing: {
      random_sampling: { value: 0 },
      provider: {
        name: "envoy.tracers.zipkin",
        typed_config: {
          "@type": `${TYPE}.config.trace.v3.ZipkinConfig`,
          collector_cluster: "zipkin",
          collector_endpoint: "/api/v2/spans",
          collector_endpoint_version: "HTTP_JSON",
        },
      },
    },
    route_config: routeTable(),
    http_filters: [...(options.hasIstioStats ? [istio] : []), router],
    access_log: options.accessLog === undefined ? [] : [log],
  };
  return {
    node: {
      id: "sidecar~10.244.0.5~bench.shop~shop.svc.cluster.local",
      cluster: "bench",
      metadata: { NAME: "bench", NAMESPACE: "shop", WORKLOAD_NAME: "bench", LABELS: { app: "bench" } },
    },
    static_resources: {
      listeners: [
        {
          name: "outbound",
          traffic_direction: "OUTBOUND",
          address: socketAddress(options.port),
          filter_chains: [{ filters: [{ name: "hcm", typed_config: hcm }] }],
        },
      ],
      clusters: ["v1", "v2"]
        .map((version) => cluster(`outbound|80|${version}|${HOST}`, options.backend))
        .concat([cluster("zipkin", options.backend)]),
    },
  };
}

const ISTIO_LOG =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% " +
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ' +
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" ' +
  "%UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% " +
  "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

function routeTable(): object {
  const to = (version: string) => ({ cluster: `outbound|80|${version}|${HOST}`, timeout: "5s" });
  const weighted = {
    timeout: "15s",
    weighted_clusters: {
      clusters: ["v1", "v2"].map((v) => ({ name: `outbound|80|${v}|${HOST}`, weight: v === "v1" ? 90 : 10 })),
    },
    retry_policy: {
      retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
      num_retries: 2,
      retriable_status_codes: [503],
      retry_host_predicate: [
        {
          name: "envoy.retry_host_predicates.previous_hosts",
          typed_config: { "@type": `${TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate` },
        },
      ],
      host_selection_retry_max_attempts: 5,
    },
  };
  const header = (name: string, value: string) => ({ name, string_match: { exact: value } });
  const set = (key: string, value: string) => ({ header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" });
  const other = (name: string) => ({
    name: `${name}.shop.svc.cluster.local:80`,
    domains: [`${name}.shop.svc.cluster.local`, `${name}.shop`, name],
    routes: [{ match: { prefix: "/" }, route: to("v1") }],
  });
  return {
    name: "80",
    validate_clusters: false,
    virtual_hosts: [
      ...["front-end", "carts", "orders", "payment", "user"].map(other),
      {
        name: `${HOST}:80`,
        domains: [HOST, "catalogue.shop", "catalogue"],
        include_request_attempt_count: true,
        response_headers_to_add: [set("x-served-by", "mesh")],
        routes: [
          { match: { path: "/health" }, route: to("v1") },
          { match: { prefix: "/api/v2/" }, route: to("v2") },
          { match: { prefix: "/api/", headers: [header("x-canary", "always")] }, route: to("v2") },
          { match: { prefix: "/api/v1/", headers: [header("cookie", "beta=1")] }, route: to("v2") },
          { match: { safe_regex: { regex: "/api/v[0-9]+/orders/[0-9a-f-]+" } }, route: to("v1") },
          {
            name: "items",
            match: { prefix: "/api/v1/items" },
            route: weighted,
            request_headers_to_add: [set("x-route", "items")],
            request_headers_to_remove: ["x-debug"],
          },
          { match: { prefix: "/" }, route: to("v1") },
        ],
      },
      { name: "block_all", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 502 } }] },
    ],
  };
}

function cluster(name: string, port: number): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    lb_policy: "LEAST_REQUEST",
    circuit_breakers: {
      thresholds: [
        { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000, max_retries: 1000 },
      ],
    },
    outlier_detection: { consecutive_5xx: 5, interval: "10s", base_ejection_time: "30s" },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
    },
  };
}

function socketAddress(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

/** nginx as the backend (two locations) or, with `upstream`, as a plain reverse proxy. */
export function nginxConfig(port: number, dir: string, upstream?: number): string {
  const body = Buffer.alloc(1024, "x").toString();
  const locations =
    upstream === undefined
      ? `location ${SMALL_PATH} { default_type application/json; return 200 "${body}"; }
         location ${LARGE_PATH} { default_type application/octet-stream; alias ${dir}/large; }`
      : "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; }";
  const pool =
    upstream === undefined
      ? ""
      : `upstream up { server 127.0.0.1:${upstream}; keepalive 512; keepalive_requests 100000000; }`;
  return `daemon off; master_process off; worker_processes 1; error_log /dev/null; pid ${dir}/nginx-${port}.pid;
events { worker_connections 4096; }
http { access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; open_file_cache max=16; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  ${pool} server { listen 127.0.0.1:${port} backlog=4096; ${locations} } }
`;
}

/** haproxy as a plain reverse proxy, or with rules that ask of it what the Envoy configuration asks of us. */
export function haproxyConfig(port: number, upstream: number, hasRules: boolean): string {
  const rules = `
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
  option forwardfor
  acl host_ok hdr(host) -i ${HOST} catalogue.shop catalogue
  acl p_health path /health
  acl p_v2 path_beg /api/v2/
  acl canary hdr(x-canary) always
  acl p_orders path_reg ^/api/v[0-9]+/orders/[0-9a-f-]+$
  acl p_items path_beg /api/v1/items
  http-request set-header x-forwarded-proto http
  http-request set-header x-route items if p_items
  http-request del-header x-debug
  http-response set-header x-served-by mesh
  use_backend v2 if host_ok p_v2 or host_ok canary
  use_backend v1 if host_ok p_health or host_ok p_orders
  use_backend weighted if host_ok p_items`;
  const server = (name: string, weight = 100) => `  server ${name} 127.0.0.1:${upstream} weight ${weight}`;
  return `global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 15s
  timeout connect 1s
  http-reuse always
  retries 2
frontend in
  bind 127.0.0.1:${port} backlog 4096${hasRules ? rules : ""}
  default_backend v1
backend v1
${server("a")}
backend v2
${server("a")}
backend weighted
  balance leastconn
  option redispatch
  retry-on conn-failure 503
${server("a", 90)}
${server("b", 10)}
`;
}
