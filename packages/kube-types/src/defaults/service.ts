/**
 * Defaults of a Service and of the two forms of its endpoints. Addresses and node ports are allocated by the API server, not here.
 * Source: Kubernetes API reference, core/v1 ServiceSpec, discovery.k8s.io/v1 EndpointSlice.
 */
import { mapEntries, mapMember, type Tree, withDefaults } from "../tree.ts";

const AFFINITY_SECONDS = 10_800;

export function serviceDefaults(service: Tree): Tree {
  return mapMember(service, "spec", (spec) => {
    const type = spec.type ?? "ClusterIP";
    const isExternalName = type === "ExternalName";
    const isPublished = type === "NodePort" || type === "LoadBalancer";
    const { clusterIP } = spec;
    const result = withDefaults(spec, {
      type,
      sessionAffinity: "None",
      sessionAffinityConfig:
        spec.sessionAffinity === "ClientIP" ? { clientIP: { timeoutSeconds: AFFINITY_SECONDS } } : undefined,
      clusterIPs: typeof clusterIP === "string" && clusterIP !== "" ? [clusterIP] : undefined,
      ipFamilies: isExternalName ? undefined : ["IPv4"],
      ipFamilyPolicy: isExternalName ? undefined : "SingleStack",
      internalTrafficPolicy: isExternalName ? undefined : "Cluster",
      externalTrafficPolicy: isPublished ? "Cluster" : undefined,
      allocateLoadBalancerNodePorts: type === "LoadBalancer" ? true : undefined,
    });
    return mapEntries(result, "ports", (port) => {
      const { targetPort } = port;
      const isUnset = targetPort === 0 || targetPort === "";
      const open = isUnset ? { ...port, targetPort: undefined } : port;
      return withDefaults(open, { protocol: "TCP", targetPort: port.port });
    });
  });
}

export function endpointsDefaults(endpoints: Tree): Tree {
  return mapEntries(endpoints, "subsets", (subset) =>
    mapEntries(subset, "ports", (port) => withDefaults(port, { protocol: "TCP" })),
  );
}

export function endpointSliceDefaults(slice: Tree): Tree {
  return mapEntries(slice, "ports", (port) => withDefaults(port, { name: "", protocol: "TCP" }));
}
