/** Names, order and values of the labels of Istio's standard metrics: productpage-v1 calls ratings-v1, seen from both sides. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { createRegistry } from "@argyle/telemetry";
import { compileCluster } from "../config/cluster-config.ts";
import { Fields } from "../config/fields.ts";
import type { HcmConfig } from "../config/hcm-config.ts";
import { countGrpcMessages } from "../http/grpc-messages.ts";
import type { HttpStream } from "../http/stream.ts";
import type { TcpSession } from "../tcp-proxy.ts";
import type { Cluster } from "../upstream/cluster.ts";
import { createIstioTelemetry } from "./istio-telemetry.ts";
import { workloadOf } from "./peer-metadata.ts";

const node = (name: string, app: string, canonical: string, cluster: string) => ({
  NAME: `${name}-abc`,
  NAMESPACE: "default",
  WORKLOAD_NAME: name,
  CLUSTER_ID: cluster,
  LABELS: {
    app,
    version: "v1",
    "service.istio.io/canonical-name": canonical,
    "service.istio.io/canonical-revision": "version-1",
  },
});
const PRODUCTPAGE = node("productpage-v1", "productpage", "productpage-v1", "client-cluster");
const RATINGS = node("ratings-v1", "ratings", "ratings", "server-cluster");
const CLIENT_ID = "spiffe://cluster.local/ns/default/sa/client";
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";

const source = (values: Partial<Record<string, string>> = {}) => ({
  source_workload: "productpage-v1",
  source_canonical_service: "productpage-v1",
  source_canonical_revision: "version-1",
  source_workload_namespace: "default",
  source_principal: "unknown",
  source_app: "productpage",
  source_version: "v1",
  source_cluster: "client-cluster",
  ...values,
});
const stranger = (values: Partial<Record<string, string>>) => ({
  ...source(),
  source_workload: "unknown",
  source_canonical_service: "unknown",
  source_canonical_revision: "latest",
  source_app: "unknown",
  source_version: "unknown",
  source_cluster: "unknown",
  ...values,
});
const destination = (values: Partial<Record<string, string>> = {}) => ({
  destination_workload: "ratings-v1",
  destination_workload_namespace: "default",
  destination_principal: "unknown",
  destination_app: "ratings",
  destination_version: "v1",
  destination_service: "server.default.svc.cluster.local",
  destination_canonical_service: "ratings",
  destination_canonical_revision: "version-1",
  destination_service_name: "server",
  destination_service_namespace: "default",
  destination_cluster: "server-cluster",
  ...values,
});
const http = { request_protocol: "http", response_code: "200", grpc_response_status: "", response_flags: "-" };
const tcp = { request_protocol: "tcp", response_flags: "-" };
const security = (value: string) => ({ connection_security_policy: value });

interface Case {
  readonly name: string;
  readonly reporter: "source" | "destination";
  readonly kind: "http" | "tcp";
  readonly peer?: object;
  readonly mutualTls?: boolean;
  /** filter_metadata.istio.services of the cluster; undefined: a cluster that says nothing. */
  readonly service?: object;
  readonly endpoint?: string;
  readonly disablesHostHeader?: boolean;
  readonly contentType?: string;
  readonly grpcStatus?: string;
  readonly clusterName?: string;
  readonly labels: Readonly<Record<string, string | undefined>>;
}
const SERVICE = { host: "server.default.svc.cluster.local", name: "server", namespace: "default" };

const cases: readonly Case[] = [
  {
    name: "HTTP at the client",
    reporter: "source",
    kind: "http",
    peer: RATINGS,
    service: SERVICE,
    labels: { ...source(), ...destination(), ...http, ...security("unknown") },
  },
  {
    name: "HTTP at the server",
    reporter: "destination",
    kind: "http",
    peer: PRODUCTPAGE,
    service: SERVICE,
    labels: { ...source(), ...destination(), ...http, ...security("none") },
  },
  {
    name: "gRPC, with its status",
    reporter: "destination",
    kind: "http",
    peer: PRODUCTPAGE,
    service: SERVICE,
    contentType: "application/grpc+proto",
    grpcStatus: "7",
    labels: {
      ...source(),
      ...destination(),
      ...http,
      request_protocol: "grpc",
      grpc_response_status: "7",
      ...security("none"),
    },
  },
  {
    name: "a destination known by its endpoint alone has no app and version",
    reporter: "source",
    kind: "http",
    endpoint: "ratings-v1;default;ratings;version-1;server-cluster",
    service: SERVICE,
    labels: {
      ...source(),
      ...destination({ destination_app: "unknown", destination_version: "unknown" }),
      ...http,
      ...security("unknown"),
    },
  },
  {
    name: "the service's own namespace goes before the workload's",
    reporter: "source",
    kind: "http",
    peer: RATINGS,
    service: { ...SERVICE, namespace: "server" },
    labels: {
      ...source(),
      ...destination({ destination_service_namespace: "server" }),
      ...http,
      ...security("unknown"),
    },
  },
  {
    name: "without a service the client's Host header names it",
    reporter: "source",
    kind: "http",
    peer: RATINGS,
    labels: {
      ...source(),
      ...destination({ destination_service: "shop.example:81", destination_service_name: "shop.example:81" }),
      ...http,
      ...security("unknown"),
    },
  },
  {
    name: "unless the fallback is off",
    reporter: "source",
    kind: "http",
    peer: RATINGS,
    disablesHostHeader: true,
    labels: {
      ...source(),
      ...destination({ destination_service: "unknown", destination_service_name: "unknown" }),
      ...http,
      ...security("unknown"),
    },
  },
  {
    name: "a server without a service is called by its canonical name, whatever the Host header says",
    reporter: "destination",
    kind: "http",
    peer: PRODUCTPAGE,
    labels: {
      ...source(),
      ...destination({ destination_service: "ratings", destination_service_name: "ratings" }),
      ...http,
      ...security("none"),
    },
  },
  {
    name: "traffic out of the mesh is the PassthroughCluster's",
    reporter: "source",
    kind: "http",
    clusterName: "PassthroughCluster",
    labels: {
      ...source(),
      ...destination({
        destination_workload: "unknown",
        destination_workload_namespace: "unknown",
        destination_app: "unknown",
        destination_version: "unknown",
        destination_canonical_service: "unknown",
        destination_canonical_revision: "latest",
        destination_cluster: "unknown",
        destination_service: "shop.example:81",
        destination_service_name: "PassthroughCluster",
        destination_service_namespace: "unknown",
      }),
      ...http,
      ...security("unknown"),
    },
  },
  {
    name: "TCP at the client over mutual TLS",
    reporter: "source",
    kind: "tcp",
    peer: RATINGS,
    service: SERVICE,
    mutualTls: true,
    labels: {
      ...source({ source_principal: CLIENT_ID }),
      ...destination({ destination_principal: SERVER_ID }),
      ...tcp,
      ...security("unknown"),
    },
  },
  {
    name: "TCP at the server over mutual TLS",
    reporter: "destination",
    kind: "tcp",
    peer: PRODUCTPAGE,
    service: SERVICE,
    mutualTls: true,
    labels: {
      ...source({ source_principal: CLIENT_ID }),
      ...destination({ destination_principal: SERVER_ID }),
      ...tcp,
      ...security("mutual_tls"),
    },
  },
  {
    name: "TCP at the server without metadata exchange: the certificate proves the namespace",
    reporter: "destination",
    kind: "tcp",
    service: SERVICE,
    mutualTls: true,
    labels: {
      ...stranger({ source_workload_namespace: "default", source_principal: CLIENT_ID }),
      ...destination({ destination_principal: SERVER_ID }),
      ...tcp,
      ...security("mutual_tls"),
    },
  },
  {
    name: "TCP to someone who said nothing",
    reporter: "source",
    kind: "tcp",
    service: { ...SERVICE, namespace: undefined },
    labels: {
      ...source(),
      ...destination({
        destination_workload: "unknown",
        destination_workload_namespace: "unknown",
        destination_app: "unknown",
        destination_version: "unknown",
        destination_canonical_service: "unknown",
        destination_canonical_revision: "latest",
        destination_service_namespace: "unknown",
        destination_cluster: "unknown",
      }),
      ...tcp,
      ...security("unknown"),
    },
  },
];

for (const c of cases) {
  test(`labels: ${c.name}`, () => {
    const registry = createRegistry();
    const isInbound = c.reporter === "destination";
    const own = isInbound ? RATINGS : PRODUCTPAGE;
    const telemetry = createIstioTelemetry({
      registry,
      node: { id: "n", metadata: own },
      ownPrincipal: () => (isInbound ? SERVER_ID : CLIENT_ID),
    });
    const stream = streamOf(c, isInbound);
    const direction = isInbound ? "INBOUND" : "OUTBOUND";
    const metrics = c.kind === "http" ? HTTP_METRICS : TCP_METRICS;
    if (c.kind === "http") {
      const filters = [{ kind: "istio-stats", name: "s", usesHostHeader: c.disablesHostHeader !== true }];
      telemetry.forHttp({ filters } as unknown as HcmConfig, direction)?.onComplete(stream as HttpStream);
    } else {
      const session = stream as unknown as TcpSession;
      const reports = telemetry.forTcp(direction);
      reports.onOpened(session);
      reports.onBytes(session, 120, 60);
      reports.onClosed(session);
    }
    const wanted = Object.entries({ reporter: c.reporter, ...c.labels })
      .map(([name, value]) => `${name}="${value}"`)
      .join(",");
    const text = registry.expose((name) => name.startsWith("istio_"));
    for (const [metric, value] of metrics) assert.ok(text.includes(`${metric}{${wanted}} ${value}\n`), text);
  });
}

const HTTP_METRICS = [
  ["istio_requests_total", 1],
  ["istio_request_duration_milliseconds_count", 1],
  ["istio_request_bytes_sum", 11],
  ["istio_response_bytes_sum", 22],
] as const;
const TCP_METRICS = [
  ["istio_tcp_connections_opened_total", 1],
  ["istio_tcp_connections_closed_total", 1],
  ["istio_tcp_sent_bytes_total", 120],
  ["istio_tcp_received_bytes_total", 60],
] as const;

/** What the telemetry reads of a stream or session; the rest is not there. */
function streamOf(c: Case, isInbound: boolean): object {
  const istio = c.service === undefined ? {} : { services: [c.service] };
  const cluster = {
    config: compileCluster(
      new Fields(
        { name: c.clusterName ?? "backend", type: "ORIGINAL_DST", metadata: { filter_metadata: { istio } } },
        "",
        { problems: [] },
      ),
    ),
  } as unknown as Cluster;
  const tls =
    isInbound && c.mutualTls === true ? { peer: { principal: CLIENT_ID }, localPrincipal: SERVER_ID } : undefined;
  return {
    cluster,
    messages: countGrpcMessages(c.contentType),
    peer: c.peer === undefined ? undefined : workloadOf(c.peer as Record<string, unknown>),
    host: c.endpoint === undefined ? undefined : { metadata: { istio: { workload: c.endpoint } } },
    upstreamHost: c.endpoint === undefined ? undefined : { metadata: { istio: { workload: c.endpoint } } },
    upstreamPrincipal: !isInbound && c.mutualTls === true ? SERVER_ID : undefined,
    state: {
      downstream: { tls },
      authority: "shop.example:81",
      headers: createHeaderBlock(c.contentType === undefined ? [] : [["content-type", c.contentType]]),
      responseHeaders: createHeaderBlock(c.grpcStatus === undefined ? [] : [["grpc-status", c.grpcStatus]]),
      responseTrailers: undefined,
      responseCode: 200,
      responseFlags: "-",
      durationMs: 3,
      bytesReceived: 11,
      bytesSent: 22,
    },
  };
}

test("messages of gRPC streams have the labels without a status", () => {
  const registry = createRegistry();
  const telemetry = createIstioTelemetry({
    registry,
    node: { id: "n", metadata: PRODUCTPAGE },
    ownPrincipal: () => undefined,
  });
  const c: Case = {
    name: "messages",
    reporter: "source",
    kind: "http",
    peer: RATINGS,
    service: SERVICE,
    contentType: "application/grpc",
    labels: {},
  };
  const stream = streamOf(c, false) as HttpStream;
  stream.messages?.requests.push(Buffer.alloc(10), 0, 10);
  stream.messages?.responses.push(Buffer.alloc(15), 0, 15);
  const filters = [{ kind: "istio-stats", name: "s", usesHostHeader: true }];
  telemetry.forHttp({ filters } as unknown as HcmConfig, "OUTBOUND")?.onComplete(stream);
  const labels = Object.entries({ reporter: "source", ...source(), ...destination() })
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
  const text = registry.expose((name) => name.includes("_messages_total"));
  assert.ok(text.includes(`istio_request_messages_total{${labels}} 2\n`), text);
  assert.ok(text.includes(`istio_response_messages_total{${labels}} 3\n`), text);
});
