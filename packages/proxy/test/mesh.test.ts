/** Two sidecars on a pod network in a temporary directory: client program → out.sock → mTLS → in.sock → server program, with Istio's metrics. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { createPodNetwork, listenOnPath } from "@argyle/pod-network";
import { eventually, tempDir } from "@argyle/testkit";
import { TYPE_URL } from "../src/resource-sink.ts";
import { createAuthority } from "./authority.ts";
import { replying } from "./harness.ts";
import { collect, fromProgram, startPod } from "./pods.ts";

const CLIENT = "10.244.0.4";
const SERVER = "10.244.0.5";
const VIP = "10.96.0.7";
const HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const filter = (name: string, type: string, value: object = {}) => ({
  name,
  typed_config: { "@type": `type.googleapis.com/${type}`, ...value },
});
const struct = (name: string, type_url: string, value: object) =>
  filter(name, "udpa.type.v1.TypedStruct", { type_url: `type.googleapis.com/${type_url}`, value });
const METADATA = struct("istio.metadata", "io.istio.http.peer_metadata.Config", {
  upstream_discovery: [{ istio_headers: {} }],
});
const STATS = struct("istio.stats", "stats.PluginConfig", {});
const ROUTER = filter("router", "envoy.extensions.filters.http.router.v3.Router");
const ANY = { socket_address: { address: "0.0.0.0", port_value: 15_001 } };
const sds = (name: string) => ({ name, sds_config: { ads: {} } });

const clientResources = {
  clusters: [
    {
      name: "outbound|80||catalogue.sock-shop.svc.cluster.local",
      type: "EDS",
      eds_cluster_config: {
        eds_config: { ads: {} },
        service_name: "outbound|80||catalogue.sock-shop.svc.cluster.local",
      },
      connect_timeout: "2s",
      lb_policy: "LEAST_REQUEST",
      transport_socket_matches: [
        {
          name: "tlsMode-istio",
          match: { tlsMode: "istio" },
          transport_socket: filter("tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
            sni: "outbound_.80_._.catalogue.sock-shop.svc.cluster.local",
            common_tls_context: {
              alpn_protocols: ["istio-peer-exchange", "istio"],
              tls_certificate_sds_secret_configs: [sds("default")],
              combined_validation_context: {
                default_validation_context: {
                  match_typed_subject_alt_names: [
                    { san_type: "URI", matcher: { exact: "spiffe://cluster.local/ns/sock-shop/sa/catalogue" } },
                  ],
                },
                validation_context_sds_secret_config: sds("ROOTCA"),
              },
            },
          }),
        },
        {
          name: "tlsMode-disabled",
          match: {},
          transport_socket: filter("raw", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"),
        },
      ],
    },
    { name: "PassthroughCluster", type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "2s" },
  ],
  listeners: [
    {
      name: "virtualOutbound",
      address: ANY,
      traffic_direction: "OUTBOUND",
      use_original_dst: true,
      filter_chains: [
        {
          name: "passthrough",
          filters: [
            filter("tcp", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
              stat_prefix: "PassthroughCluster",
              cluster: "PassthroughCluster",
            }),
          ],
        },
      ],
    },
    {
      name: "0.0.0.0_80",
      address: { socket_address: { address: "0.0.0.0", port_value: 80 } },
      bind_to_port: false,
      traffic_direction: "OUTBOUND",
      listener_filters: [filter("http_inspector", "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector")],
      filter_chains: [
        {
          filter_chain_match: {
            transport_protocol: "raw_buffer",
            application_protocols: ["http/1.1", "http/1.0", "h2c"],
          },
          filters: [
            filter("hcm", HCM.slice(20), {
              stat_prefix: "outbound_0.0.0.0_80",
              rds: { config_source: { ads: {} }, route_config_name: "80" },
              http_filters: [METADATA, STATS, ROUTER],
            }),
          ],
        },
      ],
      default_filter_chain: {
        filters: [
          filter("tcp", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
            stat_prefix: "PassthroughCluster",
            cluster: "PassthroughCluster",
          }),
        ],
      },
    },
  ],
  routes: [
    {
      name: "80",
      virtual_hosts: [
        {
          name: "catalogue.sock-shop.svc.cluster.local:80",
          domains: ["catalogue.sock-shop.svc.cluster.local", "catalogue", "catalogue.sock-shop", VIP],
          routes: [
            {
              name: "default",
              match: { prefix: "/" },
              route: { cluster: "outbound|80||catalogue.sock-shop.svc.cluster.local", timeout: "0s" },
            },
          ],
        },
      ],
    },
  ],
  endpoints: [
    {
      cluster_name: "outbound|80||catalogue.sock-shop.svc.cluster.local",
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: { address: { socket_address: { address: SERVER, port_value: 80 } } },
              metadata: {
                filter_metadata: {
                  "envoy.transport_socket_match": { tlsMode: "istio" },
                  istio: { workload: "catalogue;sock-shop;catalogue;v1;Kubernetes" },
                },
              },
            },
          ],
        },
      ],
    },
  ],
};

const serverResources = {
  clusters: [
    {
      name: "inbound|80||",
      type: "ORIGINAL_DST",
      lb_policy: "CLUSTER_PROVIDED",
      connect_timeout: "2s",
      metadata: {
        filter_metadata: {
          istio: {
            services: [{ host: "catalogue.sock-shop.svc.cluster.local", name: "catalogue", namespace: "sock-shop" }],
          },
        },
      },
    },
  ],
  listeners: [
    {
      name: "virtualInbound",
      address: { socket_address: { address: "0.0.0.0", port_value: 15_006 } },
      traffic_direction: "INBOUND",
      use_original_dst: true,
      listener_filters: [
        filter("original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"),
        filter("tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"),
      ],
      filter_chains: [
        {
          name: "0.0.0.0_80",
          filter_chain_match: {
            destination_port: 80,
            transport_protocol: "tls",
            application_protocols: ["istio", "istio-peer-exchange"],
          },
          transport_socket: filter("tls", "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
            require_client_certificate: true,
            common_tls_context: {
              alpn_protocols: ["h2", "http/1.1", "istio", "istio-peer-exchange"],
              tls_certificate_sds_secret_configs: [sds("default")],
              combined_validation_context: {
                default_validation_context: {},
                validation_context_sds_secret_config: sds("ROOTCA"),
              },
            },
          }),
          filters: [
            filter("hcm", HCM.slice(20), {
              stat_prefix: "inbound_0.0.0.0_80",
              forward_client_cert_details: "APPEND_FORWARD",
              set_current_client_cert_details: { subject: true, uri: true, dns: true },
              server_header_transformation: "PASS_THROUGH",
              route_config: {
                name: "inbound|80||",
                virtual_hosts: [
                  {
                    name: "inbound|http|80",
                    domains: ["*"],
                    routes: [{ match: { prefix: "/" }, route: { cluster: "inbound|80||", timeout: "0s" } }],
                  },
                ],
              },
              http_filters: [METADATA, STATS, ROUTER],
            }),
          ],
        },
      ],
    },
  ],
  routes: [],
  endpoints: [],
};

/** Two sidecars, the catalogue's program, and a front-end's connection that asks it through both. */
async function startCatalogue(t: TestContext) {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const authority = await createAuthority();
  const client = await startPod(t, network, runDir, CLIENT, "front-end", authority, clientResources);
  const server = await startPod(t, network, runDir, SERVER, "catalogue", authority, serverResources);
  const program = { seen: "" };
  const app = await listenOnPath(network.socketPath(SERVER, 80), (socket) => {
    const answer = replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    const connection = { bytes: "" };
    socket.on("data", (chunk) => {
      program.seen += chunk.toString("latin1");
      connection.bytes += chunk.toString("latin1");
      answer(connection.bytes, socket, connection);
    });
  });
  t.after(() => app.close());
  const socket = await fromProgram(network, CLIENT, { ip: VIP, port: 80 });
  t.after(() => socket.destroy());
  const received = collect(socket);
  const answers = () => received.text.split("\r\n\r\nok").length - 1;
  const ask = async () => {
    const expected = answers() + 1;
    socket.write("GET /catalogue HTTP/1.1\r\nHost: catalogue\r\n\r\n");
    await eventually("answer", () => assert.equal(answers(), expected, received.text));
  };
  return { client, server, program, received, ask };
}

test("a request crosses two sidecars with mutual TLS and both report it", async (t) => {
  const { client, server, program, received, ask } = await startCatalogue(t);
  for (let i = 1; i <= 3; i++) await ask();
  assert.ok(!received.text.includes("x-envoy-peer-metadata"), "peer metadata must not reach the app");
  assert.ok(!program.seen.includes("x-envoy-peer-metadata"), "peer metadata must not reach the app");
  assert.match(
    program.seen,
    /x-forwarded-client-cert: By=spiffe:\/\/cluster\.local\/ns\/sock-shop\/sa\/catalogue;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/sock-shop\/sa\/front-end/,
  );

  const shared =
    'source_workload="front-end",source_canonical_service="front-end",source_canonical_revision="v1",source_workload_namespace="sock-shop",' +
    'source_principal="spiffe://cluster.local/ns/sock-shop/sa/front-end",source_app="unknown",source_version="v1",source_cluster="Kubernetes",' +
    'destination_workload="catalogue",destination_workload_namespace="sock-shop",destination_principal="spiffe://cluster.local/ns/sock-shop/sa/catalogue",' +
    'destination_app="unknown",destination_version="v1",destination_service="catalogue.sock-shop.svc.cluster.local",destination_canonical_service="catalogue",' +
    'destination_canonical_revision="v1",destination_service_name="catalogue",destination_service_namespace="sock-shop",destination_cluster="Kubernetes",' +
    'request_protocol="http",response_code="200",grpc_response_status="",response_flags="-",connection_security_policy=';
  await eventually("metrics", () => {
    assert.ok(
      client.proxy.deps.registry.expose().includes(`istio_requests_total{reporter="source",${shared}"unknown"} 3\n`),
      client.proxy.deps.registry.expose((n) => n === "istio_requests_total"),
    );
    assert.ok(
      server.proxy.deps.registry
        .expose()
        .includes(`istio_requests_total{reporter="destination",${shared}"mutual_tls"} 3\n`),
      server.proxy.deps.registry.expose((n) => n === "istio_requests_total"),
    );
  });
});

test("connections of a cluster that is replaced are closed on both sides", async (t) => {
  const { client, server, ask } = await startCatalogue(t);
  const [cluster] = clientResources.clusters;
  for (let i = 1; i <= 5; i++) {
    await ask();
    const resource = { ...cluster, connect_timeout: `${2 + i}s` };
    assert.deepEqual(
      client.proxy.runtime.apply(
        TYPE_URL.cluster,
        [{ name: cluster?.name ?? "", version: String(i + 1), resource }],
        [],
      ),
      [],
    );
    client.proxy.runtime.apply(
      TYPE_URL.endpoint,
      clientResources.endpoints.map((resource) => ({ name: resource.cluster_name, version: String(i + 1), resource })),
      [],
    );
  }
  const open = () => server.proxy.deps.registry.expose((name) => name === "envoy_http_downstream_cx_active");
  await eventually("closed", () => assert.match(open(), /\} 0\n/));
});

test("plaintext to a chain that wants mTLS is reset and counted", async (t) => {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const authority = await createAuthority();
  const server = await startPod(t, network, runDir, SERVER, "catalogue", authority, serverResources);
  const socket = await fromProgram(network, SERVER, { ip: SERVER, port: 80 }, "in", CLIENT);
  const received = collect(socket);
  socket.write("GET / HTTP/1.1\r\nHost: catalogue\r\n\r\n");
  await eventually("cut", () => assert.equal(received.ended, true));
  assert.equal(received.text, "");
  assert.match(server.proxy.deps.registry.expose(), /envoy_listener_no_filter_chain_match\{[^}]*\} 1/);
});

test("a certificate of another authority is refused", async (t) => {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const client = await startPod(t, network, runDir, CLIENT, "front-end", await createAuthority(), clientResources);
  await startPod(t, network, runDir, SERVER, "catalogue", await createAuthority(), serverResources);
  const socket = await fromProgram(network, CLIENT, { ip: VIP, port: 80 });
  const received = collect(socket);
  socket.write("GET / HTTP/1.1\r\nHost: catalogue\r\nConnection: close\r\n\r\n");
  await eventually("answer", () =>
    assert.match(
      received.text,
      /^HTTP\/1\.1 503 [\s\S]*reset reason: remote connection failure, transport failure reason: TLS_error:/,
    ),
  );
  assert.match(client.proxy.deps.registry.expose(), /response_flags="UF"/);
});

test("server-first bytes pass an uninspected destination: passthrough with half-close", async (t) => {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  await startPod(t, network, runDir, CLIENT, "front-end", await createAuthority(), clientResources);
  const database = createServer({ allowHalfOpen: true }, (socket) => {
    socket.write("hello, I speak first\n");
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end("bye"));
  });
  await new Promise<void>((resolve) => database.listen(0, "127.0.0.1", resolve));
  t.after(() => database.close());
  const address = database.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const socket = await fromProgram(network, CLIENT, { ip: "127.0.0.1", port });
  const received = collect(socket);
  await eventually("greeting", () => assert.equal(received.text, "hello, I speak first\n"));
  socket.end("query");
  await eventually("echo and end", () =>
    assert.deepEqual(received, { text: "hello, I speak first\nquerybye", ended: true }),
  );
});
