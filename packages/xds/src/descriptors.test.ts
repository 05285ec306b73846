import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createXdsRegistry } from "./descriptors.ts";
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "./type-urls.ts";
import type { Listener } from "./types/listener.ts";

declare const __ARGYLE_ROOT__: string;
const registry = createXdsRegistry(readFileSync(`${__ARGYLE_ROOT__}/dist/assets/xds.binpb`));

const listener: Listener = {
  name: "0.0.0.0_80",
  address: { socket_address: { address: "0.0.0.0", port_value: 80 } },
  filter_chains: [
    {
      filters: [
        {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix: "outbound_0.0.0.0_80",
            rds: {
              config_source: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
              route_config_name: "80",
            },
            http_filters: [
              {
                name: "istio.alpn",
                typed_config: {
                  "@type": "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
                  alpn_override: [{ alpn_override: ["istio-http/1.0", "istio", "http/1.0"] }],
                },
              },
              {
                name: "envoy.filters.http.router",
                typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
              },
            ],
          },
        },
      ],
    },
  ],
  traffic_direction: "OUTBOUND",
  default_filter_chain: {
    filters: [
      {
        name: "envoy.filters.network.tcp_proxy",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
          stat_prefix: "PassthroughCluster",
          cluster: "PassthroughCluster",
        },
      },
    ],
  },
};

function roundTrip(type: string, json: object): object {
  const bytes = registry.encode(type, json);
  assert.ok(bytes.ok, bytes.ok ? "" : JSON.stringify(bytes.error));
  const back = registry.decode(type, bytes.value);
  assert.ok(back.ok);
  return back.value;
}

const roundTrips: { name: string; type: string; json: object; expected?: object }[] = [
  { name: "keeps a listener with typed configs exactly", type: LISTENER_TYPE, json: listener },
  {
    name: "takes lowerCamelCase names and gives proto names back",
    type: CLUSTER_TYPE,
    json: { name: "a", connectTimeout: "0.250s", edsClusterConfig: { serviceName: "b" }, lbPolicy: "LEAST_REQUEST" },
    expected: {
      name: "a",
      connect_timeout: "0.250s",
      eds_cluster_config: { service_name: "b" },
      lb_policy: "LEAST_REQUEST",
    },
  },
  {
    name: "has fields that are newer than the shipped proto files",
    type: CLUSTER_TYPE,
    json: { name: "a", dns_jitter: "0.100s" },
  },
  {
    name: "drops an @type at the top",
    type: CLUSTER_TYPE,
    json: { "@type": CLUSTER_TYPE, name: "a", type: "EDS" },
    expected: { name: "a", type: "EDS" },
  },
  {
    name: "keeps structs, wrappers, 64-bit integers and enums of metadata and ring hash",
    type: CLUSTER_TYPE,
    json: {
      name: "a",
      ring_hash_lb_config: { minimum_ring_size: "1024" },
      circuit_breakers: { thresholds: [{ max_connections: 0, track_remaining: true }] },
      metadata: {
        filter_metadata: { istio: { services: [{ host: "a", namespace: "b" }], weight: 1.5, on: true, no: null } },
      },
    },
  },
  {
    name: "keeps an Any of a foreign type as base64",
    type: LISTENER_TYPE,
    json: {
      name: "a",
      filter_chains: [{ filters: [{ name: "x", typed_config: { "@type": "t.io/foreign.X", value: "CgFh" } }] }],
    },
  },
  {
    name: "keeps a foreign Any inside a known one",
    type: ROUTE_TYPE,
    json: {
      name: "80",
      virtual_hosts: [
        {
          name: "v",
          domains: ["*"],
          typed_per_filter_config: {
            f: {
              "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
              config: { "@type": "t.io/foreign.Y", value: "/wA=" },
            },
          },
        },
      ],
    },
  },
  {
    name: "keeps Istio's stats configuration",
    type: "stats.PluginConfig",
    json: {
      disable_host_header_fallback: true,
      metrics: [{ dimensions: { a: "'b'" }, tags_to_remove: ["c"] }],
      reporter: "SERVER_GATEWAY",
    },
  },
  {
    name: "keeps peer metadata configuration",
    type: "io.istio.http.peer_metadata.Config",
    json: {
      downstream_discovery: [{ istio_headers: {} }],
      upstream_propagation: [{ istio_headers: { skip_external_clusters: true } }],
    },
  },
];
for (const { name, type, json, expected } of roundTrips) {
  test(name, () => assert.deepEqual(roundTrip(type, json), expected ?? json));
}

const refusals = [
  {
    name: "reports every unknown field with its path",
    type: LISTENER_TYPE,
    json: {
      nam: "a",
      filter_chains: [
        {},
        {
          filters: [
            { typed_config: { "@type": "x/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", clster: "b" } },
          ],
        },
      ],
    },
    paths: ["nam", "filter_chains[1].filters[0].typed_config.clster"],
  },
  {
    name: "reports wrong scalars, enums and durations",
    type: CLUSTER_TYPE,
    json: { name: 7, lb_policy: "NOPE", connect_timeout: "soon", max_requests_per_connection: -1 },
    paths: ["name", "lb_policy", "connect_timeout", "max_requests_per_connection"],
  },
  {
    name: "reports two members of a oneof",
    type: ROUTE_TYPE,
    json: { virtual_hosts: [{ name: "v", domains: [], routes: [{ match: { prefix: "/", path: "/a" }, route: {} }] }] },
    paths: ["virtual_hosts[0].routes[0].match.path"],
  },
  {
    name: "reports fields beside a foreign @type",
    type: LISTENER_TYPE,
    json: { listener_filters: [{ name: "x", typed_config: { "@type": "t.io/foreign.X", a: 1 } }] },
    paths: ['listener_filters[0].typed_config["@type"]'],
  },
  {
    name: "reports a scalar where a list belongs",
    type: LISTENER_TYPE,
    json: { filter_chains: 1 },
    paths: ["filter_chains"],
  },
  { name: "reports an unknown message", type: "type.googleapis.com/no.Such", json: {}, paths: [""] },
];
for (const { name, type, json, paths } of refusals) {
  test(name, () => {
    const result = registry.encode(type, json);
    assert.ok(!result.ok);
    assert.deepEqual(
      result.error.map(({ path }) => path),
      paths,
    );
  });
}

test("refuses bytes that are no such message", () => {
  assert.ok(!registry.decode(LISTENER_TYPE, Buffer.from([0x0a, 0x7f])).ok);
});

const needed = [
  "envoy.extensions.filters.http.fault.v3.HTTPFault",
  "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
  "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
  "envoy.extensions.filters.network.rbac.v3.RBAC",
  "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
  "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
  "envoy.service.ratelimit.v3.RateLimitRequest",
  "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
  "envoy.extensions.access_loggers.file.v3.FileAccessLog",
  "envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
  "envoy.config.trace.v3.ZipkinConfig",
  "envoy.config.trace.v3.OpenTelemetryConfig",
  "envoy.service.status.v3.ClientConfig",
  "envoy.admin.v3.ConfigDump",
  "envoy.config.bootstrap.v3.Bootstrap",
  "envoy.tcp.metadataexchange.config.MetadataExchange",
  "istio.networking.nds.v1.NameTable",
  "google.protobuf.Empty",
];
for (const name of needed) test(`has ${name}`, () => assert.ok(registry.has(name)));
