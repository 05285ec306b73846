/**
 * What a Service means to kube-proxy: addresses, ports, endpoints, DNS names, host ports. Pure, from the Service and its EndpointSlices.
 * Source: Kubernetes, "Virtual IPs and Service Proxies", "DNS for Services and Pods", "EndpointSlices" (terminating endpoints).
 */
import type { EndpointSlice, Service } from "@argyle/kube-types";

export interface Backend {
  readonly ip: string;
  readonly port: number;
}

export interface RoutePort {
  readonly name: string;
  readonly port: number;
  readonly nodePort: number | undefined;
  /** Where new connections may go: ready endpoints, or serving ones on their way out when there is no other. */
  readonly backends: readonly Backend[];
}

export interface ServiceRoute {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdAt: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** Undefined for headless and ExternalName Services. */
  readonly clusterIP: string | undefined;
  readonly ports: readonly RoutePort[];
  /** File name below `$RUN/dns` and its text. */
  readonly dns: readonly { readonly file: string; readonly text: string }[];
  readonly wantsClientAffinity: boolean;
}

export function buildRoute(service: Service, slices: readonly EndpointSlice[]): ServiceRoute {
  const { namespace = "default", name, uid = "", creationTimestamp = "" } = service.metadata;
  const { spec } = service;
  const type = spec.type ?? "ClusterIP";
  const hasAddress = type !== "ExternalName" && spec.clusterIP !== undefined && !["", "None"].includes(spec.clusterIP);
  const clusterIP = hasAddress ? spec.clusterIP : undefined;
  const ports =
    type === "ExternalName"
      ? []
      : (spec.ports ?? [])
          .filter((port) => (port.protocol ?? "TCP") === "TCP")
          .map((port) => ({
            name: port.name ?? "",
            port: port.port,
            nodePort: type === "ClusterIP" || port.nodePort === 0 ? undefined : port.nodePort,
            backends: backendsOf(port.name ?? "", slices),
          }));
  return {
    namespace,
    name,
    uid,
    createdAt: creationTimestamp,
    type,
    clusterIP,
    ports,
    dns: dnsOf(service, clusterIP, slices),
    wantsClientAffinity: spec.sessionAffinity === "ClientIP",
  };
}

function backendsOf(portName: string, slices: readonly EndpointSlice[]): readonly Backend[] {
  const ready: Backend[] = [];
  const leaving: Backend[] = [];
  for (const slice of slices) {
    const port = slice.ports?.find((candidate) => (candidate.name ?? "") === portName)?.port;
    if (port === undefined || slice.addressType === "FQDN") continue;
    for (const { addresses, conditions } of slice.endpoints ?? []) {
      const ip = addresses[0];
      if (ip === undefined) continue;
      // An absent condition counts as ready, as the API says.
      if (conditions?.ready !== false) ready.push({ ip, port });
      else if (conditions.serving === true && conditions.terminating === true) leaving.push({ ip, port });
    }
  }
  return ready.length > 0 ? ready : leaving;
}

function dnsOf(service: Service, clusterIP: string | undefined, slices: readonly EndpointSlice[]) {
  const { namespace = "default", name } = service.metadata;
  const file = `${name}.${namespace}`;
  if (service.spec.type === "ExternalName") {
    const target = (service.spec.externalName ?? "").replace(/\.$/, "");
    return target === "" ? [] : [{ file, text: `CNAME ${target}\n` }];
  }
  if (clusterIP !== undefined) return [{ file, text: `${clusterIP}\n` }];
  if (service.spec.clusterIP !== "None") return [];
  // Headless: the ready pods; without one the name exists and has no address.
  const endpoints = slices.flatMap((slice) => (slice.endpoints ?? []).filter((e) => e.conditions?.ready !== false));
  const addresses = [...new Set(endpoints.flatMap((endpoint) => endpoint.addresses.slice(0, 1)))];
  const named = endpoints.flatMap(({ hostname, addresses: own }) =>
    hostname === undefined || own[0] === undefined ? [] : [{ file: `${hostname}.${file}`, text: `${own[0]}\n` }],
  );
  return [{ file, text: addresses.map((address) => `${address}\n`).join("") }, ...named];
}
