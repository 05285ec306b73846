/**
 * Which EndpointSlices a Service shall have, given those it has: pure. Existing slices are reused by their ports, so that a pod's change
 * touches one object and names stay; a slice holds at most 100 endpoints. A Service without pods keeps one empty slice.
 * Source: Kubernetes, "EndpointSlices" (distribution, labels, ownership).
 */
import { isDeepStrictEqual } from "node:util";
import { type EndpointSlice, SERVICE_NAME_LABEL, type Service } from "@argyle/kube-types";
import { KINDS } from "../controller.ts";
import { controllerReference } from "../ownership.ts";
import { type EndpointGroup, isHeadless } from "./build.ts";

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

export const MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by";
export const MANAGED_BY = "endpointslice-controller.k8s.io";
const MAX_ENDPOINTS = 100;

export function planSlices(
  service: Service,
  groups: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
  newName: () => string,
): SlicePlan {
  const wanted = groups.flatMap(chunk);
  if (wanted.length === 0) wanted.push({ ports: [], endpoints: [] });
  const free = [...existing];
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  for (const group of wanted) {
    const at = free.findIndex((slice) => isDeepStrictEqual(slice.ports ?? [], group.ports));
    // Empty or about to be removed slices are reused before new ones are made.
    const reused = free.splice(at === -1 ? free.findIndex((slice) => isReusable(slice, wanted)) : at, 1)[0];
    if (reused === undefined) {
      create.push(buildSlice(service, group, newName()));
      continue;
    }
    const next = { ...reused, ...group, metadata: { ...reused.metadata, ...ownedMetadata(service) } };
    if (!isDeepStrictEqual(next, { ...reused, ports: reused.ports ?? [], endpoints: reused.endpoints ?? [] }))
      update.push(next);
  }
  return { create, update, remove: free };
}

function isReusable(slice: EndpointSlice, wanted: readonly EndpointGroup[]): boolean {
  return !wanted.some((group) => isDeepStrictEqual(slice.ports ?? [], group.ports));
}

function chunk(group: EndpointGroup): EndpointGroup[] {
  const chunks: EndpointGroup[] = [];
  for (let at = 0; at < group.endpoints.length; at += MAX_ENDPOINTS)
    chunks.push({ ports: group.ports, endpoints: group.endpoints.slice(at, at + MAX_ENDPOINTS) });
  return chunks;
}

function buildSlice(service: Service, group: EndpointGroup, name: string): EndpointSlice {
  const { namespace } = service.metadata;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name,
      generateName: `${service.metadata.name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...ownedMetadata(service),
    },
    addressType: "IPv4",
    ...group,
  };
}

function ownedMetadata(service: Service) {
  return {
    labels: {
      ...service.metadata.labels,
      [SERVICE_NAME_LABEL]: service.metadata.name,
      [MANAGED_BY_LABEL]: MANAGED_BY,
      ...(isHeadless(service) ? { "service.kubernetes.io/headless": "" } : {}),
    },
    ownerReferences: [controllerReference(KINDS.service, service)],
  };
}
