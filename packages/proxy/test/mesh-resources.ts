/** Envoy resources of two sidecars in the shape that istiod writes, for one service with a port whose protocol is sniffed. */
export const filter = (name: string, type: string, value: object = {}) => ({
  name,
  typed_config: { "@type": `type.googleapis.com/${type}`, ...value },
});
export const struct = (name: string, typeUrl: string, value: object = {}) =>
  filter(name, "udpa.type.v1.TypedStruct", { type_url: `type.googleapis.com/${typeUrl}`, value });

const HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const METADATA = struct("istio.metadata_exchange", "io.istio.http.peer_metadata.Config", {
  upstream_discovery: [{ istio_headers: {} }],
});
const EXCHANGE = struct("istio.metadata_exchange", "envoy.tcp.metadataexchange.config.MetadataExchange", {
  protocol: "istio-peer-exchange",
});
const STATS = struct("istio.stats", "stats.PluginConfig");
const ALPN = struct("istio.alpn", "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig", {
  alpn_override: [
    { upstream_protocol: "HTTP10", alpn_override: ["istio-http/1.0", "istio", "http/1.0"] },
    { upstream_protocol: "HTTP11", alpn_override: ["istio-http/1.1", "istio", "http/1.1"] },
    { upstream_protocol: "HTTP2", alpn_override: ["istio-h2", "istio", "h2"] },
  ],
});
const ROUTER = filter("router", "envoy.extensions.filters.http.router.v3.Router");
const sds = (name: string) => ({ name, sds_config: { ads: {} } });
const tcp = (cluster: string) =>
  filter("tcp", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: cluster, cluster });
const hcm = (cluster: string, filters: readonly object[]) =>
  filter("hcm", HCM, {
    stat_prefix: "sniffed",
    route_config: {
      name: cluster,
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] }],
    },
    http_filters: filters,
  });

/** A port that is sniffed is spoken to as its client speaks. */
const AS_CLIENT = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
    },
  },
};

export function sniffedClient(service: string, vip: string, pod: string, port: number) {
  const cluster = `outbound|${port}||${service}`;
  return {
    clusters: [
      {
        name: cluster,
        type: "EDS",
        eds_cluster_config: { eds_config: { ads: {} }, service_name: cluster },
        connect_timeout: "2s",
        filters: [EXCHANGE],
        ...AS_CLIENT,
        transport_socket: filter("tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
          sni: `outbound_.${port}_._.${service}`,
          common_tls_context: {
            alpn_protocols: ["istio-peer-exchange", "istio"],
            tls_certificate_sds_secret_configs: [sds("default")],
            combined_validation_context: {
              default_validation_context: {},
              validation_context_sds_secret_config: sds("ROOTCA"),
            },
          },
        }),
      },
    ],
    listeners: [
      {
        name: "virtualOutbound",
        address: { socket_address: { address: "0.0.0.0", port_value: 15_001 } },
        traffic_direction: "OUTBOUND",
        use_original_dst: true,
        filter_chains: [{ filters: [tcp("BlackHoleCluster")] }],
      },
      {
        name: `${vip}_${port}`,
        address: { socket_address: { address: vip, port_value: port } },
        bind_to_port: false,
        traffic_direction: "OUTBOUND",
        listener_filters: [
          filter("http_inspector", "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"),
        ],
        listener_filters_timeout: "0.1s",
        continue_on_listener_filters_timeout: true,
        filter_chains: [
          {
            filter_chain_match: { transport_protocol: "raw_buffer", application_protocols: ["http/1.1", "h2c"] },
            filters: [hcm(cluster, [METADATA, ALPN, STATS, ROUTER])],
          },
        ],
        default_filter_chain: { filters: [STATS, tcp(cluster)] },
      },
    ],
    routes: [],
    endpoints: [
      {
        cluster_name: cluster,
        endpoints: [
          {
            lb_endpoints: [
              { endpoint: { address: { socket_address: { address: pod, port_value: port } } }, metadata: {} },
            ],
          },
        ],
      },
    ],
  };
}

export function sniffedServer(service: string, port: number) {
  const [name, namespace] = service.split(".");
  const cluster = `inbound|${port}||`;
  const downstreamTls = (alpn: readonly string[]) =>
    filter("tls", "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
      require_client_certificate: true,
      common_tls_context: {
        alpn_protocols: alpn,
        tls_certificate_sds_secret_configs: [sds("default")],
        combined_validation_context: {
          default_validation_context: {},
          validation_context_sds_secret_config: sds("ROOTCA"),
        },
      },
    });
  return {
    clusters: [
      {
        name: cluster,
        type: "ORIGINAL_DST",
        lb_policy: "CLUSTER_PROVIDED",
        connect_timeout: "2s",
        ...AS_CLIENT,
        metadata: { filter_metadata: { istio: { services: [{ host: service, name, namespace }] } } },
      },
    ],
    listeners: [
      {
        name: "virtualInbound",
        address: { socket_address: { address: "0.0.0.0", port_value: 15_006 } },
        traffic_direction: "INBOUND",
        listener_filters: [filter("tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector")],
        filter_chains: [
          {
            name: "http",
            filter_chain_match: {
              destination_port: port,
              transport_protocol: "tls",
              application_protocols: ["istio-http/1.0", "istio-http/1.1", "istio-h2"],
            },
            transport_socket: downstreamTls(["h2", "http/1.1"]),
            filters: [hcm(cluster, [METADATA, STATS, ROUTER])],
          },
          {
            name: "tcp",
            filter_chain_match: { destination_port: port, transport_protocol: "tls" },
            transport_socket: downstreamTls(["istio-peer-exchange", "h2", "http/1.1"]),
            filters: [EXCHANGE, STATS, tcp(cluster)],
          },
        ],
      },
    ],
    routes: [],
    endpoints: [],
  };
}
