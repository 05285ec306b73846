/**
 * What a proxy serves itself: the services that select its workload, with each port resolved to the port its program listens on.
 * By selector, not by EndpointSlice: a pod needs its inbound listeners before it can become ready.
 */
import { selects } from "./config.ts";
import type { MeshState } from "./mesh-state.ts";
import type { MeshPort, MeshService } from "./service.ts";

export interface ServiceTarget {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly targetPort: number;
}

export interface TargetOwner {
  readonly ip: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function serviceTargets(state: MeshState, owner: TargetOwner): readonly ServiceTarget[] {
  const workload = state.workloads.get(owner.ip);
  const labels = workload?.labels ?? owner.labels;
  const out: ServiceTarget[] = [];
  for (const service of state.services) {
    const isSelected =
      service.selector !== undefined && service.namespace === owner.namespace && selects(service.selector, labels);
    const endpoints = isSelected
      ? []
      : (state.endpoints.get(service.key) ?? []).filter((endpoint) => endpoint.address === owner.ip);
    for (const port of service.ports) {
      if (port.protocol === "UDP") continue;
      if (isSelected) {
        const target =
          typeof port.targetPort === "number" ? port.targetPort : workload?.namedPorts.get(port.targetPort);
        if (target !== undefined) out.push({ service, port, targetPort: target });
        continue;
      }
      const endpoint = endpoints.find((candidate) => candidate.servicePort === port.port);
      if (endpoint !== undefined) out.push({ service, port, targetPort: endpoint.port });
    }
  }
  return out;
}
