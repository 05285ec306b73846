/** The Envoy configurations of the data plane benches, which Envoy and we are given alike: a sidecar's outbound and inbound side. */
const TYPE = "type.googleapis.com/envoy";
const HCM = `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;

export const HOST = "catalogue.shop.svc.cluster.local";
export const SMALL_PATH = "/api/v1/items/small";
export const LARGE_PATH = "/api/v1/items/large";

export interface EnvoyOptions {
  readonly port: number;
  /** A port of this machine, or the path of a unix socket. */
  readonly backend: number | string;
  /** mTLS to the backend. */
  readonly tls?: Certificates;
  /** Istio's own filters; stock Envoy does not have them. */
  readonly hasIstioStats: boolean;
  readonly accessLog?: string;
  /** The backend is spoken to in HTTP/2. */
  readonly isHttp2?: boolean;
}

/** PEM texts of one workload, and the name that its peer must have. */
export interface Certificates {
  readonly root: string;
  readonly chain: string;
  readonly key: string;
  readonly peer: string;
}

/** A sidecar's outbound listener: virtual hosts, seven routes, a weighted cluster, retries, time-outs, header edits, tracing, metrics. */
export function envoyBootstrap(options: EnvoyOptions): object {
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
    ...SHARED_HCM,
    route_config: routeTable(),
    http_filters: httpFilters(options.hasIstioStats),
    access_log: options.accessLog === undefined ? [] : [log],
  };
  return {
    node: NODE,
    static_resources: {
      listeners: [
        {
          name: "outbound",
          traffic_direction: "OUTBOUND",
          address: addressOf(options.port),
          filter_chains: [{ filters: [{ name: "hcm", typed_config: hcm }] }],
        },
      ],
      clusters: ["v1", "v2"]
        .map((version) => cluster(`outbound|80|${version}|${HOST}`, options.backend, options.tls, options.isHttp2))
        .concat([cluster("zipkin", options.backend)]),
    },
  };
}

/** The sidecar on the other side: an inbound listener with mTLS in front of the program. */
export function inboundBootstrap(options: {
  readonly listen: number | string;
  readonly backend: number;
  readonly tls: Certificates;
  readonly hasIstioStats: boolean;
  /** The program, and the other sidecar, are spoken to in HTTP/2. */
  readonly isHttp2?: boolean;
}): object {
  const hcm = {
    "@type": HCM,
    stat_prefix: "inbound",
    use_remote_address: false,
    ...SHARED_HCM,
    forward_client_cert_details: "APPEND_FORWARD",
    set_current_client_cert_details: { subject: true, dns: true, uri: true },
    route_config: {
      name: "inbound",
      virtual_hosts: [
        {
          name: "inbound|http|80",
          domains: ["*"],
          routes: [{ name: "default", match: { prefix: "/" }, route: { cluster: "inbound|80||", timeout: "0s" } }],
        },
      ],
    },
    http_filters: httpFilters(options.hasIstioStats),
  };
  const chain = {
    filters: [{ name: "hcm", typed_config: hcm }],
    transport_socket: tlsSocket("Downstream", options.tls, options.isHttp2),
  };
  return {
    node: NODE,
    static_resources: {
      listeners: [
        {
          name: "inbound",
          traffic_direction: "INBOUND",
          address: addressOf(options.listen),
          filter_chains: [chain],
        },
      ],
      clusters: [
        cluster("inbound|80||", options.backend, undefined, options.isHttp2),
        cluster("zipkin", options.backend),
      ],
    },
  };
}

/** Two bootstraps as one, for both sidecars in one process. */
export function mergeBootstraps(a: object, b: object): object {
  const [one, two] = [a, b].map(
    (bootstrap) =>
      (bootstrap as { readonly static_resources: Record<"listeners" | "clusters", readonly { name: string }[]> })
        .static_resources,
  );
  const clusters = [...(one?.clusters ?? []), ...(two?.clusters ?? [])];
  return {
    node: NODE,
    static_resources: {
      listeners: [...(one?.listeners ?? []), ...(two?.listeners ?? [])],
      clusters: [...new Map(clusters.map((entry) => [entry.name, entry])).values()],
    },
  };
}

const NODE = {
  id: "sidecar~10.244.0.5~bench.shop~shop.svc.cluster.local",
  cluster: "bench",
  metadata: { NAME: "bench", NAMESPACE: "shop", WORKLOAD_NAME: "bench", LABELS: { app: "bench" } },
};

const SHARED_HCM = {
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
};

function httpFilters(hasIstioStats: boolean): readonly object[] {
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
  return hasIstioStats ? [istio, router] : [router];
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

function cluster(name: string, backend: number | string, tls?: Certificates, isHttp2?: boolean): object {
  const options = `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`;
  const http2 = { "@type": options, explicit_http_config: { http2_protocol_options: {} } };
  return {
    ...(isHttp2 === true
      ? { typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 } }
      : {}),
    name,
    ...(tls === undefined ? {} : { transport_socket: tlsSocket("Upstream", tls, isHttp2) }),
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
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(backend) } }] }],
    },
  };
}

function addressOf(at: number | string): object {
  return typeof at === "string" ? { pipe: { path: at } } : { socket_address: { address: "127.0.0.1", port_value: at } };
}

/** As istiod writes it: TLS 1.3 as negotiated, both sides prove who they are, the peer's SPIFFE name is checked. */
function tlsSocket(side: "Upstream" | "Downstream", { root, chain, key, peer }: Certificates, isHttp2 = false): object {
  const common = {
    tls_certificates: [{ certificate_chain: { inline_string: chain }, private_key: { inline_string: key } }],
    validation_context: {
      trusted_ca: { inline_string: root },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer } }],
    },
    alpn_protocols: isHttp2 ? ["h2"] : ["istio-http/1.1", "http/1.1"],
  };
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${TYPE}.extensions.transport_sockets.tls.v3.${side}TlsContext`,
      common_tls_context: common,
      ...(side === "Downstream" ? { require_client_certificate: true } : { sni: `outbound_.80_._.${HOST}` }),
    },
  };
}
