/** The labels of Istio's metrics, in Istio's order, and how a workload, a service and a stream fill them. Pure. */
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { Host } from "../upstream/host.ts";
import { UNKNOWN_WORKLOAD, type Workload } from "./peer-metadata.ts";

const SHARED_LABELS = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
  "request_protocol",
] as const;

export const HTTP_LABELS: readonly string[] = [
  ...SHARED_LABELS,
  "response_code",
  "grpc_response_status",
  "response_flags",
  "connection_security_policy",
];
/** Of messages within gRPC streams: neither protocol nor status. */
export const MESSAGE_LABELS: readonly string[] = SHARED_LABELS.filter((name) => name !== "request_protocol");
export const TCP_LABELS: readonly string[] = [...SHARED_LABELS, "response_flags", "connection_security_policy"];

export interface ServiceLabels {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

export const UNKNOWN_SERVICE: ServiceLabels = { host: "unknown", name: "unknown", namespace: "unknown" };

/** From the metadata that istiod puts on clusters, else from Istio's cluster name. */
export function serviceOf(cluster: ClusterConfig): ServiceLabels {
  const istio = cluster.metadata.istio as { readonly services?: readonly unknown[] } | undefined;
  const service = istio?.services?.[0] as Partial<ServiceLabels> | undefined;
  if (typeof service?.host === "string")
    return {
      host: service.host,
      name: service.name ?? service.host,
      namespace: service.namespace ?? "unknown",
    };
  const [direction, , , host = ""] = cluster.name.split("|");
  if (direction !== "outbound" || host === "") {
    const isSpecial = cluster.name.endsWith("Cluster") || cluster.name.endsWith("ClusterIpv4");
    return isSpecial ? { ...UNKNOWN_SERVICE, name: cluster.name } : UNKNOWN_SERVICE;
  }
  const [name = host, namespace, svc] = host.split(".");
  return svc === "svc" && namespace !== undefined
    ? { host, name, namespace }
    : { host, name: host, namespace: "unknown" };
}

const MAX_HOSTS = 256;
const MAX_HOST_LENGTH = 128;

/**
 * Istio's host header fallback, for a sidecar's own program alone: what it called a service that is not in the mesh. The number of names is
 * bounded; what comes after stays unknown.
 */
export function createHostFallback(): { serviceFor(service: ServiceLabels, authority: string): ServiceLabels } {
  const byName = new Map<string, Map<string, ServiceLabels>>();
  let size = 0;
  return {
    serviceFor(service, authority) {
      if (service.host !== "unknown" || authority === "" || authority.length > MAX_HOST_LENGTH) return service;
      let byHost = byName.get(service.name);
      if (byHost === undefined) {
        byHost = new Map();
        byName.set(service.name, byHost);
      }
      let labels = byHost.get(authority);
      if (labels === undefined) {
        if (size >= MAX_HOSTS) return service;
        size += 1;
        labels = { ...service, host: authority, name: service.name === "unknown" ? authority : service.name };
        byHost.set(authority, labels);
      }
      return labels;
    },
  };
}

/** Istio's endpoint metadata: `workload;namespace;canonical-name;canonical-revision;cluster`. Parsed once per host. */
export function workloadOfHost(host: Host): Workload | undefined {
  if (host.workload === undefined) host.workload = parseHost(host) ?? null;
  return (host.workload as Workload | null) ?? undefined;
}

function parseHost(host: Host): Workload | undefined {
  const text = (host.metadata.istio as { readonly workload?: unknown } | undefined)?.workload;
  if (typeof text !== "string") return undefined;
  const [workload, namespace, canonicalName, canonicalRevision, cluster] = text.split(";");
  const or = (value: string | undefined, fallback: string) => (value === undefined || value === "" ? fallback : value);
  return {
    ...UNKNOWN_WORKLOAD,
    workload: or(workload, "unknown"),
    namespace: or(namespace, "unknown"),
    canonicalName: or(canonicalName, "unknown"),
    canonicalRevision: or(canonicalRevision, "latest"),
    cluster: or(cluster, "unknown"),
  };
}

export interface LabelInput {
  readonly reporter: "source" | "destination";
  readonly source: Workload;
  readonly sourcePrincipal: string;
  readonly destination: Workload;
  readonly destinationPrincipal: string;
  readonly service: ServiceLabels;
}

export function messageLabels(input: LabelInput): readonly string[] {
  return sharedLabels(input, "").slice(0, MESSAGE_LABELS.length);
}

export function sharedLabels(input: LabelInput, protocol: string): readonly string[] {
  const { source, destination, service } = input;
  return [
    input.reporter,
    source.workload,
    source.canonicalName,
    source.canonicalRevision,
    source.namespace,
    input.sourcePrincipal,
    source.app,
    source.version,
    source.cluster,
    destination.workload,
    destination.namespace,
    input.destinationPrincipal,
    destination.app,
    destination.version,
    service.host,
    destination.canonicalName,
    destination.canonicalRevision,
    service.name,
    service.namespace === "unknown" ? destination.namespace : service.namespace,
    destination.cluster,
    protocol,
  ];
}
