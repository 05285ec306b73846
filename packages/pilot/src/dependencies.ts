/**
 * What each type of resource is made from, as a text that changes exactly when an input of that type does.
 * Precision is what keeps a change small: an EndpointSlice must not rebuild listeners, an http route must not rebuild clusters.
 */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from "@argyle/xds";
import type { MeshState, Part } from "./model/mesh-state.ts";

export const SERVED_TYPES: readonly string[] = [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE];

const PARTS_OF: Readonly<Record<string, readonly Part[]>> = {
  [CLUSTER_TYPE]: ["mesh", "services", "workloads", "destinationRules", "sidecars", "gateways"],
  [LISTENER_TYPE]: [
    "mesh",
    "services",
    "workloads",
    "destinationRules",
    "sidecars",
    "gateways",
    "peerAuthentications",
    "authorizationPolicies",
    "requestAuthentications",
  ],
  [ROUTE_TYPE]: ["mesh", "services", "workloads", "destinationRules", "sidecars", "gateways", "virtualServices"],
  [ENDPOINT_TYPE]: ["mesh", "services", "endpoints", "destinationRules", "sidecars", "peerAuthentications"],
  [SECRET_TYPE]: ["secrets", "services", "destinationRules", "sidecars"],
};

const derived = new WeakMap<object, string>();

export function dependencyKey(state: MeshState, typeUrl: string): string {
  const parts = PARTS_OF[typeUrl];
  if (parts === undefined) return "";
  let key = "";
  for (const part of parts) key += `${state.versions[part]},`;
  // With Sidecar resources, what VirtualServices route to widens the view of every type.
  if (state.sidecars.length > 0 && typeUrl !== SECRET_TYPE) key += `v${state.versions.virtualServices}`;
  if (typeUrl === CLUSTER_TYPE) key += memo(state.endpoints, () => identityKey(state));
  if (typeUrl === LISTENER_TYPE) {
    key += memo(state.virtualServices, () => l4Key(state));
    if (listensOnEndpoints(state)) key += `e${state.versions.endpoints}`;
  }
  return key;
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
