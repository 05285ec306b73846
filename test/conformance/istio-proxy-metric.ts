/**
 * The metrics that Istio's proxy tests expect, as templates. The traffic is the one of those tests: productpage-v1 calls ratings-v1 (node
 * metadata below), plain HTTP or TCP over mutual TLS. Our labels must have the same names and, for workloads and service, the same values.
 */
import { parse } from "yaml";
import {
  HTTP_LABELS,
  type LabelInput,
  sharedLabels,
  TCP_LABELS,
  workloadOfHost,
} from "../../packages/proxy/src/stats/istio-labels.ts";
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
const SERVICE = { host: "server.default.svc.cluster.local", name: "server", namespace: "default" };
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

/** By words of the file's name: what its test needs beyond the standard metrics. */
const MISSING: readonly (readonly [RegExp, string])[] = [
  [/waypoint|connect_|baggage/, "ambient mode: waypoints, HBONE and baggage"],
  [/custom/, "overrides of metrics in the Telemetry API"],
  [/host_header_fallback/, "a service name from the Host header: a raw Host is never a label here"],
  [/_total_labels|precedence/, "the traffic of the case: its workload and cluster metadata are not in the data"],
  [/^(basic_flow|envoy_bug|istio_build)/, "a running proxy: the replay has labels of Istio's standard metrics only"],
  [/mx_stats/, "a running proxy: the replay makes no connection for the metadata exchange to count"],
];

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files("").filter((name) => /\.ya?ml(\.tmpl)?$/.test(name)))
    yield await judge(file, () => verdictOf(file, dir.text(file)));
}

function verdictOf(file: string, template: string): Verdict {
  const missing = MISSING.find(([words]) => words.test(file))?.[1];
  if (missing !== undefined) return { missing };
  const { name, metric } = parse(fillGoTemplate(template, { "Vars.RequestCount": "10" })) as MetricFile;
  const isTcp = TCP_METRICS.has(name);
  if (!isTcp && !HTTP_METRICS.has(name)) return { missing: `the metric ${name}` };
  const wanted = new Map((metric[0]?.label ?? []).map((label) => [label.name, label.value]));
  const shared = sharedLabels(trafficOf(file, isTcp), isTcp ? "tcp" : "http");
  const names = isTcp ? TCP_LABELS : HTTP_LABELS;
  return [
    ...difference("label names", [...names].sort(), [...wanted.keys()].sort()),
    ...shared.flatMap((value, index) => difference(names[index] ?? "", value, wanted.get(names[index] ?? ""))),
  ];
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
    service: SERVICE,
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
