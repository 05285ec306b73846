/**
 * What each type of resource is made from, as a text that changes exactly when an input of that type does.
 * Precision is what keeps a change small: an EndpointSlice must not rebuild listeners, an http route must not rebuild clusters.
 */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from "@argyle/xds";
import type { MeshState, Part } from "./model/mesh-state.ts";
import type { Workload } from "./model/workload.ts";
import type { ProxyNode } from "./serve/config-source.ts";

export const SERVED_TYPES: readonly string[] = [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE];

/** What proxies of one scope share. */
const PARTS_OF: Readonly<Record<string, readonly Part[]>> = {
  [CLUSTER_TYPE]: ["mesh", "services", "destinationRules", "sidecars"],
  [LISTENER_TYPE]: ["mesh", "services", "destinationRules", "sidecars"],
  [ROUTE_TYPE]: ["mesh", "services", "destinationRules", "sidecars", "virtualServices"],
  [ENDPOINT_TYPE]: ["mesh", "services", "endpoints", "destinationRules", "sidecars", "peerAuthentications"],
  [SECRET_TYPE]: ["secrets", "services", "destinationRules", "sidecars"],
};

/** What a proxy has for itself depends on these besides; a gateway has nothing else. */
const OWN_PARTS_OF: Readonly<Record<string, readonly Part[]>> = {
  [CLUSTER_TYPE]: ["gateways"],
  [LISTENER_TYPE]: ["gateways", "peerAuthentications", "authorizationPolicies", "requestAuthentications"],
  [ROUTE_TYPE]: ["gateways"],
};

const derived = new WeakMap<object, string>();

/** Of everything of this type, for every proxy. */
export function dependencyKey(state: MeshState, typeUrl: string): string {
  return `${sharedKey(state, typeUrl)};${versionsOf(state, OWN_PARTS_OF[typeUrl])}${state.versions.workloads}`;
}

export function sharedKey(state: MeshState, typeUrl: string): string {
  let key = versionsOf(state, PARTS_OF[typeUrl]);
  // With Sidecar resources, what VirtualServices route to widens the view of every type.
  if (state.sidecars.length > 0 && typeUrl !== SECRET_TYPE) key += `v${state.versions.virtualServices}`;
  if (typeUrl === CLUSTER_TYPE) key += memo(state.endpoints, () => identityKey(state));
  if (typeUrl === LISTENER_TYPE) {
    key += memo(state.virtualServices, () => l4Key(state));
    if (listensOnEndpoints(state)) key += `e${state.versions.endpoints}`;
  }
  return key;
}

/** Of the pods only the proxy's own matters: that another one has become ready must not make every proxy's listeners again. */
export function ownKey(state: MeshState, typeUrl: string, node: Pick<ProxyNode, "ip">): string {
  const workload = state.workloads.get(node.ip);
  const own = workload === undefined ? "" : memo(workload, () => workloadKey(workload));
  return `${sharedKey(state, typeUrl)};${versionsOf(state, OWN_PARTS_OF[typeUrl])}${own}`;
}

function versionsOf(state: MeshState, parts: readonly Part[] = []): string {
  let key = "";
  for (const part of parts) key += `${state.versions[part]},`;
  return key;
}

/** What says which services are this pod's, and on which ports (service-target.ts). */
function workloadKey({ labels, namedPorts }: Workload): string {
  return JSON.stringify([labels, [...namedPorts]]);
}

/** Service accounts behind each service: clusters name them. Entries outside Kubernetes may have their endpoints inside the cluster. */
function identityKey(state: MeshState): string {
  let key = "";
  for (const [service, endpoints] of state.endpoints) {
    const accounts = new Set(endpoints.map((endpoint) => `${endpoint.namespace}/${endpoint.serviceAccount}`));
    key += `${service}:${[...accounts].sort().join(",")};`;
  }
  return key;
}

/** Only tcp and tls routes reach listeners. */
function l4Key(state: MeshState): string {
  return JSON.stringify(
    state.virtualServices
      .filter((vs) => (vs.spec.tcp ?? []).length > 0 || (vs.spec.tls ?? []).length > 0)
      .map(({ namespace, name, hosts, gateways, exportTo, spec }) => [
        namespace,
        name,
        hosts,
        gateways,
        exportTo,
        spec,
      ]),
  );
}

function listensOnEndpoints(state: MeshState): boolean {
  return state.services.some((service) => service.resolution === "Passthrough" || service.registry === "External");
}

function memo(owner: object, make: () => string): string {
  let value = derived.get(owner);
  if (value === undefined) {
    value = make();
    derived.set(owner, value);
  }
  return value;
}
