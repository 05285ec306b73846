/** The tables of proxy-config, in istioctl's columns, from what Envoy's admin pages give. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigDump, sectionOf } from "./config-view.ts";
import { listenerRows } from "./listener-table.ts";
import { clusterRows, endpointRows, routeRows, secretRows } from "./resource-tables.ts";

const at = (address: string, port: number) => ({ socket_address: { address, port_value: port } });
const tcp = (cluster: string) => ({ filters: [{ typed_config: { cluster } }] });

test("a row for each filter chain, by port", () => {
  const rows = listenerRows(
    [
      {
        address: at("0.0.0.0", 15006),
        filter_chains: [
          { filter_chain_match: { destination_port: 15006 }, filters: [] },
          {
            filter_chain_match: {
              destination_port: 80,
              transport_protocol: "tls",
              application_protocols: ["istio-http/1.0", "istio-http/1.1", "istio-h2"],
            },
            filters: [
              { typed_config: { route_config: { virtual_hosts: [{ routes: [{ match: { prefix: "/" } }] }] } } },
            ],
          },
        ],
      },
      {
        address: at("0.0.0.0", 80),
        filter_chains: [
          {
            filter_chain_match: { transport_protocol: "raw_buffer", application_protocols: ["http/1.1", "h2c"] },
            filters: [{ typed_config: { rds: { route_config_name: "80" } } }],
          },
        ],
        default_filter_chain: tcp("PassthroughCluster"),
      },
      {
        address: at("10.96.0.7", 443),
        filter_chains: [
          { ...tcp("outbound|443||a.com"), filter_chain_match: { server_names: ["a.com"] } },
          {
            ...tcp("outbound|443||b.com"),
            filter_chain_match: { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
          },
        ],
      },
    ],
    { port: undefined, address: undefined },
  );
  assert.deepEqual(rows, [
    ["ADDRESSES", "PORT", "MATCH", "DESTINATION"],
    ["0.0.0.0", "80", "Trans: raw_buffer; App: HTTP", "Route: 80"],
    ["0.0.0.0", "80", "ALL", "PassthroughCluster"],
    ["10.96.0.7", "443", "SNI: a.com", "Cluster: outbound|443||a.com"],
    ["10.96.0.7", "443", "Addr: 10.0.0.0/8", "Cluster: outbound|443||b.com"],
    ["0.0.0.0", "15006", "Addr: *:15006", "Non-HTTP/Non-TCP"],
    ["0.0.0.0", "15006", "Trans: tls; App: HTTP TLS; Addr: *:80", "Inline Route: /*"],
  ]);
});

const istio = (config: string) => ({ filter_metadata: { istio: { config } } });

test("routes name their VirtualService", () => {
  const route = (match: object, config?: string) => ({
    match,
    ...(config === undefined ? {} : { metadata: istio(config) }),
  });
  const rows = routeRows(
    [
      {
        name: "80",
        virtual_hosts: [
          {
            name: "a:80",
            domains: ["a", "a.shop", "a.shop.svc"],
            routes: [
              route({ path: "/x" }, "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/front"),
              route({ prefix: "/" }),
            ],
          },
        ],
      },
    ],
    "80",
  );
  assert.deepEqual(rows.slice(1), [
    ["80", "a:80", "a, a.shop + 1 more...", "/x", "front.shop"],
    ["80", "a:80", "a, a.shop + 1 more...", "/*", ""],
  ]);
});

test("clusters are taken apart, and chosen by host and port", () => {
  const clusters = [
    {
      name: "outbound|80|v1|a.shop.svc.cluster.local",
      type: "EDS",
      metadata: istio("/apis/networking.istio.io/v1/namespaces/shop/destination-rule/a"),
    },
    { name: "BlackHoleCluster", type: "STATIC" },
    { name: "inbound|80||", type: "ORIGINAL_DST" },
  ];
  const all = { fqdn: undefined, port: undefined, subset: undefined, direction: undefined };
  assert.deepEqual(clusterRows(clusters, all).slice(1), [
    ["", "80", "-", "inbound", "ORIGINAL_DST", ""],
    ["BlackHoleCluster", "-", "-", "-", "STATIC", ""],
    ["a.shop.svc.cluster.local", "80", "v1", "outbound", "EDS", "a.shop"],
  ]);
  assert.equal(clusterRows(clusters, { ...all, fqdn: "a.shop", port: 80 }).length, 2);
});

test("endpoints tell health and ejection", () => {
  const rows = endpointRows(
    {
      cluster_statuses: [
        {
          name: "outbound|80||a",
          host_statuses: [
            {
              address: at("10.0.0.2", 80),
              health_status: { eds_health_status: "HEALTHY", failed_outlier_check: true },
            },
            { address: at("10.0.0.1", 80), health_status: { eds_health_status: "DRAINING" } },
          ],
        },
      ],
    },
    { cluster: undefined, address: undefined, port: undefined },
  );
  assert.deepEqual(rows.slice(1), [
    ["10.0.0.1:80", "DRAINING", "OK", "outbound|80||a"],
    ["10.0.0.2:80", "HEALTHY", "FAILED", "outbound|80||a"],
  ]);
});

test("a secret that holds no certificate is said to be invalid", () => {
  const rows = secretRows([{ name: "ROOTCA", validation_context: { trusted_ca: { inline_bytes: "eA==" } } }], 0);
  assert.deepEqual(rows[1], ["ROOTCA", "CA", "ACTIVE", "false", "", "", ""]);
});

test("sections of a dump are found wherever they stand", () => {
  const dump: ConfigDump = { configs: [{}, { dynamic_active_clusters: [{ cluster: { name: "a" } }, {}] }] };
  assert.deepEqual(sectionOf(dump, "dynamic_active_clusters", "cluster"), [{ name: "a" }]);
});
