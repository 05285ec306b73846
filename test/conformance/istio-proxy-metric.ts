/**
 * The metrics that Istio's proxy tests expect, as templates. The traffic is the one of those tests: productpage-v1 calls ratings-v1 (node
 * metadata below), plain HTTP or TCP over mutual TLS. Our labels must have the same names and, for workloads and service, the same values.
 */
import { createRegistry } from "@argyle/telemetry";
import { parse } from "yaml";
import { ISTIO_BUILD } from "../../packages/proxy/src/stats/build-metric.ts";
import { createHcmStats } from "../../packages/proxy/src/stats/hcm-stats.ts";
import {
  createHostFallback,
  HTTP_LABELS,
  type LabelInput,
  MESSAGE_LABELS,
  type ServiceLabels,
  sharedLabels,
  TCP_LABELS,
  UNKNOWN_SERVICE,
  workloadOfHost,
} from "../../packages/proxy/src/stats/istio-labels.ts";
import { createTcpStats } from "../../packages/proxy/src/stats/listener-stats.ts";
import { createMetadataExchange } from "../../packages/proxy/src/stats/metadata-exchange.ts";
import {
  createStrangers,
  UNKNOWN_WORKLOAD,
  type Workload,
  workloadOf,
} from "../../packages/proxy/src/stats/peer-metadata.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import { fillGoTemplate } from "./go-template.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface MetricFile {
  readonly name: string;
  readonly metric: readonly { readonly label?: readonly { readonly name: string; readonly value: string }[] }[];
}

const metadata = (app: string, canonicalName: string, cluster: string) => ({
  NAME: `${app}-v1-84975bc778-pxz2w`,
  NAMESPACE: "default",
  WORKLOAD_NAME: `${app}-v1`,
  CLUSTER_ID: cluster,
  LABELS: {
    app,
    version: "v1",
    "service.istio.io/canonical-name": canonicalName,
    "service.istio.io/canonical-revision": "version-1",
  },
});
const CLIENT = workloadOf(metadata("productpage", "productpage-v1", "client-cluster"));
const SERVER = workloadOf(metadata("ratings", "ratings", "server-cluster"));
/** The clusters of those tests name their service but no namespace. */
const SERVICE: ServiceLabels = { host: "server.default.svc.cluster.local", name: "server", namespace: "unknown" };
const AUTHORITY = "127.0.0.1:8080";
const CLIENT_ID = "spiffe://cluster.local/ns/default/sa/client";
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";

const HTTP_METRICS: ReadonlySet<string> = new Set([
  "istio_requests_total",
  "istio_request_duration_milliseconds",
  "istio_request_bytes",
  "istio_response_bytes",
]);
const TCP_METRICS: ReadonlySet<string> = new Set([
  "istio_tcp_connections_opened_total",
  "istio_tcp_connections_closed_total",
  "istio_tcp_sent_bytes_total",
  "istio_tcp_received_bytes_total",
]);

/** The label sets of Istio's tests that change a metric in the Telemetry API. */
const CUSTOM_LABEL = /^configurable_/;

const MESSAGE_METRICS: ReadonlySet<string> = new Set(["istio_request_messages_total", "istio_response_messages_total"]);

/** By words of the file's name: what its test needs beyond the standard metrics. */
const MISSING: readonly (readonly [RegExp, string])[] = [
  [/waypoint|connect_|baggage/, "ambient mode: waypoints, HBONE and baggage"],
  [/custom/, "overrides of metrics in the Telemetry API"],
  [/_total_labels|precedence/, "the traffic of the case: its workload and cluster metadata are not in the data"],
];

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files("").filter((name) => /\.ya?ml(\.tmpl)?$/.test(name)))
    yield await judge(file, () => verdictOf(file, dir.text(file)));
}

function verdictOf(file: string, template: string): Verdict {
  const missing = MISSING.find(([words]) => words.test(file))?.[1];
  if (missing !== undefined) return { missing };
  const values = { "Vars.RequestCount": "10", "Vars.ConnectionCount": "10", "Ports.ClientPort": "8080" };
  const { name, metric } = parse(fillGoTemplate(template, values)) as MetricFile;
  const wanted = new Map((metric[0]?.label ?? []).map((label) => [label.name, label.value]));
  const isTcp = TCP_METRICS.has(name);
  if (!isTcp && !HTTP_METRICS.has(name) && !MESSAGE_METRICS.has(name)) return familyVerdict(name, wanted);
  if ([...wanted.keys()].some((label) => CUSTOM_LABEL.test(label)))
    return { missing: "overrides of metrics in the Telemetry API" };
  const shared = sharedLabels(trafficOf(file, isTcp), wanted.get("request_protocol") ?? "");
  const names = isTcp ? TCP_LABELS : MESSAGE_METRICS.has(name) ? MESSAGE_LABELS : HTTP_LABELS;
  return [
    ...difference("label names", [...names].sort(), [...wanted.keys()].sort()),
    ...shared
      .slice(0, names.length)
      .flatMap((value, index) => difference(names[index] ?? "", value, wanted.get(names[index] ?? ""))),
  ];
}

/** Envoy's own statistics: a proxy that serves one listener must have the metric, under the same labels. */
function familyVerdict(name: string, wanted: ReadonlyMap<string, string>): Verdict {
  const registry = createRegistry();
  createHcmStats(registry, "client", "127.0.0.1_8080");
  createTcpStats(registry, "outbound_tcp");
  createMetadataExchange(registry, { id: "n", metadata: {} });
  registry.gauge(ISTIO_BUILD).cell("proxy", "1.5-dev");
  const family = [...registry.families()].find(({ options }) => options.name === name);
  if (family === undefined) return { missing: `the metric ${name}` };
  return difference("label names", [...(family.options.labels ?? [])].sort(), [...wanted.keys()].sort());
}

/** Where the cluster does not name its service: the Host header at the client, the workload's own name at the server. */
function serviceOfFile(file: string): ServiceLabels {
  if (!file.includes("host_header_fallback")) return SERVICE;
  if (file.includes("server_")) return { ...UNKNOWN_SERVICE, host: SERVER.canonicalName, name: SERVER.canonicalName };
  return file.includes("disable") ? UNKNOWN_SERVICE : createHostFallback().serviceFor(UNKNOWN_SERVICE, AUTHORITY);
}

function trafficOf(file: string, isTcp: boolean): LabelInput {
  const isKnown = !file.includes("_unknown");
  const isMutual = isTcp && isKnown;
  const sourcePrincipal = isMutual ? CLIENT_ID : "unknown";
  return {
    reporter: file.includes("server_") ? "destination" : "source",
    source: file.includes("without_mx") ? createStrangers()(sourcePrincipal) : CLIENT,
    sourcePrincipal,
    destination: isKnown ? destinationOf(file) : UNKNOWN_WORKLOAD,
    destinationPrincipal: isMutual ? SERVER_ID : "unknown",
    service: serviceOfFile(file),
  };
}

/** An upstream without metadata exchange is known by the metadata of its endpoint. */
function destinationOf(file: string): Workload {
  if (!file.includes("endpoint_labels")) return SERVER;
  const host = {
    workload: undefined,
    metadata: { istio: { workload: "ratings-v1;default;ratings;version-1;server-cluster" } },
  };
  return workloadOfHost(host as unknown as Parameters<typeof workloadOfHost>[0]) ?? UNKNOWN_WORKLOAD;
}
