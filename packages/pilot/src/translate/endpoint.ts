/**
 * EDS: the endpoints of a cluster, grouped by locality, with the metadata by which a client chooses mTLS and telemetry names the peer.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto
 */
import type { Subset } from "@argyle/kube-types";
import { selects } from "../model/config.ts";
import { effectivePolicy } from "../model/destination-rule.ts";
import type { MeshEndpoint } from "../model/endpoint.ts";
import type { EnvoyMessage } from "../model/json.ts";
import { mtlsModeOfPort, mtlsPolicyOf } from "../model/peer-authentication.ts";
import type { MeshService } from "../model/service.ts";
import { canonicalName, canonicalRevision } from "../model/workload.ts";
import type { TranslateContext } from "./context.ts";
import { parseClusterName, parseSniCluster } from "./names.ts";

export interface ServiceEndpointRequest {
  readonly service: MeshService;
  readonly port: number;
  readonly subset: Subset | undefined;
}

/** The assignment of a cluster by its name; undefined for a name that is not one of ours or a service out of sight. */
export function loadAssignment(context: TranslateContext, name: string): EnvoyMessage | undefined {
  const sni = parseSniCluster(name);
  const parts = sni ?? parseClusterName(name);
  if (parts === undefined || parts.direction !== "outbound") return undefined;
  const service = context.scope.servicesByHost.get(parts.hostname);
  if (service === undefined) return undefined;
  const subset = context.scope.ruleFor(service)?.subsets.find((candidate) => candidate.name === parts.subset);
  if (parts.subset !== "" && subset === undefined) return { cluster_name: name, endpoints: [] };
  const found = endpointsFor(context, { service, port: parts.port, subset });
  // What passes a gateway unopened must meet mTLS at the other side: nobody else would ask for a certificate.
  return staticAssignment(name, sni === undefined ? found : found.filter(({ isMtls }) => isMtls));
}

export interface LoadBalancedEndpoint {
  readonly endpoint: MeshEndpoint;
  readonly isMtls: boolean;
  readonly clusterId: string;
}

export function endpointsFor(
  context: TranslateContext,
  request: ServiceEndpointRequest,
): readonly LoadBalancedEndpoint[] {
  const { state, scope } = context;
  const { service, port, subset } = request;
  const tls = effectivePolicy(scope.ruleFor(service), subset, port).tls;
  const allowsMtls = tls === undefined || tls.mode === "ISTIO_MUTUAL";
  const out: LoadBalancedEndpoint[] = [];
  for (const endpoint of allEndpoints(context, service)) {
    if (endpoint.servicePort !== port || !endpoint.isReady) continue;
    if (subset !== undefined && !selects(subset.labels, endpoint.labels)) continue;
    out.push({
      endpoint,
      isMtls: allowsMtls && endpoint.hasSidecar && acceptsMtls(context, endpoint),
      clusterId: state.mesh.clusterId,
    });
  }
  return out;
}

/** Entries that share a hostname in one namespace share their endpoints too. */
function allEndpoints(context: TranslateContext, service: MeshService): readonly MeshEndpoint[] {
  return context.state.endpoints.get(service.key) ?? [];
}

function acceptsMtls(context: TranslateContext, endpoint: MeshEndpoint): boolean {
  const { peerAuthentications, mesh } = context.state;
  if (peerAuthentications.length === 0) return true;
  return mtlsModeOfPort(mtlsPolicyOf(peerAuthentications, endpoint, mesh.rootNamespace), endpoint.port) !== "DISABLE";
}

export function staticAssignment(name: string, endpoints: readonly LoadBalancedEndpoint[]): EnvoyMessage {
  const groups = new Map<string, LoadBalancedEndpoint[]>();
  for (const entry of endpoints) {
    const { region = "", zone = "", sub_zone: subZone = "" } = entry.endpoint.locality;
    const key = `${region}/${zone}/${subZone}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return {
    cluster_name: name,
    endpoints: [...groups.values()].map((group) => ({
      locality: { ...group[0]?.endpoint.locality },
      lb_endpoints: group.map(lbEndpoint),
      load_balancing_weight: group.reduce((sum, { endpoint }) => sum + endpoint.weight, 0),
    })),
  };
}

function lbEndpoint({ endpoint, isMtls, clusterId }: LoadBalancedEndpoint): EnvoyMessage {
  const { labels, workloadName } = endpoint;
  const workload = [
    workloadName,
    endpoint.namespace,
    canonicalName(labels, workloadName),
    canonicalRevision(labels),
    clusterId,
  ].join(";");
  return {
    endpoint: { address: { socket_address: { address: endpoint.address, port_value: endpoint.port } } },
    metadata: {
      filter_metadata: {
        istio: { workload },
        ...(isMtls ? { "envoy.transport_socket_match": { tlsMode: "istio" } } : {}),
      },
    },
    load_balancing_weight: endpoint.weight,
  };
}
