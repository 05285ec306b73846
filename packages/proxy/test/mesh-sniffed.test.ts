/** A port whose protocol is sniffed, between two sidecars: HTTP is told by its ALPN, bytes exchange metadata; both are reported with full labels. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { createPodNetwork, listenOnPath } from "@argyle/pod-network";
import { eventually, tempDir } from "@argyle/testkit";
import { createAuthority } from "./authority.ts";
import type { TestScope } from "./harness.ts";
import { sniffedClient, sniffedServer } from "./mesh-resources.ts";
import { collect, fromProgram, startPod } from "./pods.ts";

const CLIENT = "10.244.0.4";
const SERVER = "10.244.0.5";
const VIP = "10.96.0.9";
const PORT = 9000;
const SERVICE = "carts-db.sock-shop.svc.cluster.local";

async function startPair(t: TestScope, app: (socket: Socket) => void) {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const authority = await createAuthority();
  const client = await startPod(
    t,
    network,
    runDir,
    CLIENT,
    "carts",
    authority,
    sniffedClient(SERVICE, VIP, SERVER, PORT),
  );
  const server = await startPod(t, network, runDir, SERVER, "carts-db", authority, sniffedServer(SERVICE, PORT));
  const listening = await listenOnPath(network.socketPath(SERVER, PORT), (socket) => {
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    app(socket);
  });
  t.after(() => listening.close());
  const socket = await fromProgram(network, CLIENT, { ip: VIP, port: PORT });
  t.after(() => socket.destroy());
  const metric = (of: typeof client, name: string) => of.proxy.deps.registry.expose((n) => n === name);
  return { socket, client, server, received: collect(socket), metric };
}

const PEERS =
  'source_workload="carts",source_canonical_service="carts",source_canonical_revision="v1",source_workload_namespace="sock-shop",' +
  'source_principal="spiffe://cluster.local/ns/sock-shop/sa/carts",source_app="unknown",source_version="v1",source_cluster="Kubernetes",' +
  'destination_workload="carts-db",destination_workload_namespace="sock-shop",destination_principal="spiffe://cluster.local/ns/sock-shop/sa/carts-db",' +
  `destination_app="unknown",destination_version="v1",destination_service="${SERVICE}",destination_canonical_service="carts-db",` +
  'destination_canonical_revision="v1",destination_service_name="carts-db",destination_service_namespace="sock-shop",destination_cluster="Kubernetes"';

test("HTTP on a sniffed port reaches the HTTP chain of the other sidecar", async (t) => {
  const { socket, client, server, received, metric } = await startPair(t, (app) =>
    app.on("data", () => app.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")),
  );
  socket.write("GET /x HTTP/1.1\r\nHost: carts-db\r\n\r\n");
  await eventually("answer", () => assert.match(received.text, /^HTTP\/1\.1 200 OK[\s\S]*ok$/));
  for (const [pod, reporter, policy] of [
    [client, "source", "unknown"],
    [server, "destination", "mutual_tls"],
  ] as const) {
    const wanted = `{reporter="${reporter}",${PEERS},request_protocol="http",response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="${policy}"} 1\n`;
    await eventually(reporter, () =>
      assert.ok(metric(pod, "istio_requests_total").includes(wanted), metric(pod, "istio_requests_total")),
    );
    assert.ok(!metric(pod, "istio_tcp_connections_opened_total").includes(reporter), "was taken for bytes");
  }
});

test("bytes cross unchanged, and both sidecars know the other before the connection ends", async (t) => {
  let seen = "";
  const { socket, client, server, received, metric } = await startPair(t, (app) =>
    app.on("data", (chunk) => {
      seen += chunk.toString("latin1");
      app.write("+PONG\r\n");
    }),
  );
  socket.write("PING\r\n");
  await eventually("answer", () => assert.equal(received.text, "+PONG\r\n"));
  assert.equal(seen, "PING\r\n");
  for (const [pod, reporter, policy] of [
    [client, "source", "unknown"],
    [server, "destination", "mutual_tls"],
  ] as const) {
    const labels = `{reporter="${reporter}",${PEERS},request_protocol="tcp",response_flags="-",connection_security_policy="${policy}"}`;
    await eventually(`${reporter} opened`, () =>
      assert.ok(
        metric(pod, "istio_tcp_connections_opened_total").includes(`${labels} 1\n`),
        metric(pod, "istio_tcp_connections_opened_total"),
      ),
    );
    assert.match(metric(pod, "envoy_metadata_exchange_metadata_added"), / 1\n/);
    assert.match(metric(pod, "envoy_metadata_exchange_alpn_protocol_found"), / 1\n/);
  }
  socket.destroy();
  for (const [pod, reporter] of [
    [client, "source"],
    [server, "destination"],
  ] as const) {
    await eventually(`${reporter} closed`, () => {
      assert.match(metric(pod, "istio_tcp_connections_closed_total"), new RegExp(`reporter="${reporter}".* 1\\n`));
      assert.match(metric(pod, "istio_tcp_received_bytes_total"), /} 6\n/);
      assert.match(metric(pod, "istio_tcp_sent_bytes_total"), /} 7\n/);
    });
  }
});

test("a server that speaks first is known by its preamble as well", async (t) => {
  const { received, client, metric } = await startPair(t, (app) => app.write("220 ready\r\n"));
  await eventually("greeting", () => assert.equal(received.text, "220 ready\r\n"));
  await eventually("opened", () =>
    assert.match(metric(client, "istio_tcp_connections_opened_total"), /destination_workload="carts-db"/),
  );
});
