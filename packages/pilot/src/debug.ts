/**
 * What /debug of istiod answers about the mesh: JSON of what it knows. Pages about connected proxies are serve/debug.ts's.
 * Spec: the page names of Istio's pilot-discovery.
 */
import { rfc3339Seconds } from "@argyle/core";
import type { MeshState } from "./model/mesh-state.ts";

export const MESH_PAGES: readonly string[] = ["/debug/configz", "/debug/endpointz", "/debug/mesh", "/debug/registryz"];

/** Undefined: there is no such page. */
export function meshPage(path: string, state: MeshState): unknown {
  switch (path) {
    case "/debug/mesh":
      return state.mesh.source;
    case "/debug/registryz":
      return state.services;
    case "/debug/endpointz":
      return [...state.endpoints].map(([service, endpoints]) => ({ service, endpoints }));
    case "/debug/configz":
      return configs(state);
    default:
      return undefined;
  }
}

function configs(state: MeshState): readonly unknown[] {
  const { virtualServices, destinationRules, gateways, serviceEntries, sidecars, peerAuthentications } = state;
  return [virtualServices, destinationRules, gateways, serviceEntries, sidecars, peerAuthentications]
    .flat()
    .map((config) => ({
      apiVersion: config.apiVersion,
      kind: config.kind,
      metadata: {
        name: config.name,
        namespace: config.namespace,
        creationTimestamp: rfc3339Seconds(config.createdAt),
        labels: config.labels,
        annotations: config.annotations,
      },
      spec: config.spec,
    }));
}
