/**
 * The endpoints of a Service from its pods, in both forms: EndpointSlice groups and Endpoints subsets. Pure.
 * Pods that resolve the Service's named target ports to different numbers come into different groups. A terminating pod stays in the
 * slice (serving, not ready) and leaves Endpoints, as in Kubernetes.
 * Source: Kubernetes, "EndpointSlices" (conditions), "Service" (publishNotReadyAddresses, named ports).
 */
import {
  type Endpoint,
  type EndpointPort,
  type EndpointSubset,
  hasLabels,
  type ObjectReference,
  type Pod,
  type Service,
  type ServicePort,
} from "@argyle/kube-types";
import { isFinished, isReady } from "../pod-state.ts";

export interface EndpointGroup {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** Services without a selector keep the endpoints that their author wrote; ExternalName has none. */
export function hasComputedEndpoints(service: Service): boolean {
  const selector = service.spec.selector;
  return service.spec.type !== "ExternalName" && selector !== undefined && Object.keys(selector).length > 0;
}

export function selectsPod(service: Service, pod: Pod): boolean {
  return hasComputedEndpoints(service) && hasLabels(service.spec.selector, pod.metadata.labels);
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === "None";
}

/** Sorted, so that equal inputs give equal outputs. `pods` are those that the Service selects. */
export function buildGroups(service: Service, pods: readonly Pod[]): readonly EndpointGroup[] {
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>();
  for (const pod of [...pods].sort(byName)) {
    if (isFinished(pod) || (pod.status?.podIP ?? "") === "") continue;
    const ports = resolvePorts(service, pod);
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, endpoints: [] };
    groups.set(id, group);
    group.endpoints.push(buildEndpoint(service, pod));
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

export function buildSubsets(groups: readonly EndpointGroup[]): readonly EndpointSubset[] {
  return groups.flatMap(({ ports, endpoints }) => {
    const present = endpoints.filter((endpoint) => endpoint.conditions?.terminating !== true);
    if (present.length === 0 || ports.length === 0) return [];
    const address = (endpoint: Endpoint) => ({
      ip: endpoint.addresses[0] ?? "",
      ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname }),
      ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
      ...(endpoint.targetRef === undefined ? {} : { targetRef: endpoint.targetRef }),
    });
    const addresses = present.filter((endpoint) => endpoint.conditions?.ready === true).map(address);
    const notReadyAddresses = present.filter((endpoint) => endpoint.conditions?.ready !== true).map(address);
    return [
      {
        ...(addresses.length === 0 ? {} : { addresses }),
        ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
        ports: ports.map((port) => ({ ...port, port: port.port ?? 0 })),
      },
    ];
  });
}

function buildEndpoint(service: Service, pod: Pod): Endpoint {
  const serving = isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { name, namespace, uid } = pod.metadata;
  const targetRef: ObjectReference = {
    kind: "Pod",
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const { hostname, subdomain, nodeName } = pod.spec;
  return {
    addresses: [pod.status?.podIP ?? ""],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef,
  };
}

/** A port whose name the pod does not have is left out for that pod. */
function resolvePorts(service: Service, pod: Pod): readonly EndpointPort[] {
  const resolved: EndpointPort[] = [];
  for (const port of service.spec.ports ?? []) {
    const number = resolveTarget(port, pod);
    if (number === undefined) continue;
    resolved.push({
      name: port.name ?? "",
      port: number,
      protocol: port.protocol ?? "TCP",
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    });
  }
  return resolved;
}

function resolveTarget(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    const found = container.ports?.find(
      (candidate) => candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"),
    );
    if (found !== undefined) return found.containerPort;
  }
  return /^\d+$/.test(target) ? Number(target) : undefined;
}

function byName(a: Pod, b: Pod): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
