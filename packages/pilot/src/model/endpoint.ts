/**
 * Endpoints of a service, from its EndpointSlices or the endpoints and workloads that a ServiceEntry names.
 * Invariant: sorted by address and port, so that an unchanged set gives an unchanged ClusterLoadAssignment.
 */
import { type EndpointSlice, SERVICE_NAME_LABEL, type WorkloadEntrySpec } from "@argyle/kube-types";
import { compareText, selects } from "./config.ts";
import type { MeshPort, MeshService } from "./service.ts";
import { type Locality, TLS_MODE_LABEL, type Workload } from "./workload.ts";

export interface MeshEndpoint {
  readonly address: string;
  readonly port: number;
  /** Port of the service, not of the endpoint. */
  readonly servicePort: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workloadName: string;
  readonly hasSidecar: boolean;
  readonly locality: Locality;
  readonly weight: number;
  /** The pod's DNS name within a headless service. */
  readonly hostname: string | undefined;
  /** One that is not gets no traffic, but its identity counts already: else every pod that becomes ready would change a cluster of every proxy. */
  readonly isReady: boolean;
}

export interface WorkloadLookup {
  byIp(ip: string): Workload | undefined;
  inNamespace(namespace: string): readonly Workload[];
  localityOf(nodeName: string): Locality;
}

export function endpointsOfSlices(
  service: MeshService,
  slices: readonly EndpointSlice[],
  workloads: WorkloadLookup,
): readonly MeshEndpoint[] {
  const out: MeshEndpoint[] = [];
  for (const slice of slices) {
    for (const endpoint of slice.endpoints ?? []) {
      const isReady = endpoint.conditions?.ready !== false || service.publishNotReady;
      for (const address of endpoint.addresses) {
        const workload = workloads.byIp(address);
        for (const port of slice.ports ?? []) {
          const servicePort = service.ports.find((candidate) => candidate.name === (port.name ?? ""));
          if (servicePort === undefined || port.port === undefined || port.port === null) continue;
          const made = endpointOf(service, servicePort, address, port.port, workload, workloads, endpoint.hostname);
          out.push(isReady ? made : { ...made, isReady });
        }
      }
    }
  }
  return out.sort(byAddress);
}

export function endpointsOfEntry(service: MeshService, workloads: WorkloadLookup): readonly MeshEndpoint[] {
  const out: MeshEndpoint[] = [];
  for (const inline of service.inlineEndpoints) {
    for (const port of service.ports) out.push(inlineEndpoint(service, port, inline));
  }
  const { selector } = service;
  if (selector !== undefined) {
    for (const workload of workloads.inNamespace(service.namespace)) {
      if (!selects(selector, workload.labels) || !workload.isReady) continue;
      for (const port of service.ports) {
        const number =
          workload.namedPorts.get(port.name) ??
          (typeof port.targetPort === "number" ? port.targetPort : workload.namedPorts.get(port.targetPort));
        if (number !== undefined) out.push(endpointOf(service, port, workload.ip, number, workload, workloads));
      }
    }
  }
  return out.sort(byAddress);
}

/** Name of the Service that a slice belongs to. */
export function serviceNameOfSlice(slice: EndpointSlice): string | undefined {
  return slice.metadata.labels?.[SERVICE_NAME_LABEL];
}

function endpointOf(
  service: MeshService,
  port: MeshPort,
  address: string,
  number: number,
  workload: Workload | undefined,
  workloads: WorkloadLookup,
  hostname?: string,
): MeshEndpoint {
  return {
    address,
    port: number,
    servicePort: port.port,
    labels: workload?.labels ?? {},
    namespace: workload?.namespace ?? service.namespace,
    serviceAccount: workload?.serviceAccount ?? "",
    workloadName: workload?.workloadName ?? "",
    hasSidecar: workload?.hasSidecar === true,
    locality: workload === undefined ? {} : workloads.localityOf(workload.nodeName),
    weight: 1,
    hostname,
    isReady: true,
  };
}

function inlineEndpoint(service: MeshService, port: MeshPort, inline: WorkloadEntrySpec): MeshEndpoint {
  const labels = inline.labels ?? {};
  const [region, zone, subZone] = (inline.locality ?? "").split("/");
  return {
    address: inline.address ?? "",
    port: inline.ports?.[port.name] ?? (typeof port.targetPort === "number" ? port.targetPort : port.port),
    servicePort: port.port,
    labels,
    namespace: service.namespace,
    serviceAccount: inline.serviceAccount ?? "",
    workloadName: service.name,
    hasSidecar: labels[TLS_MODE_LABEL] === "istio",
    locality: {
      ...(region === undefined || region === "" ? {} : { region }),
      ...(zone === undefined ? {} : { zone }),
      ...(subZone === undefined ? {} : { sub_zone: subZone }),
    },
    weight: inline.weight ?? 1,
    hostname: undefined,
    isReady: true,
  };
}

function byAddress(a: MeshEndpoint, b: MeshEndpoint): number {
  return compareText(a.address, b.address) || a.port - b.port || a.servicePort - b.servicePort;
}
