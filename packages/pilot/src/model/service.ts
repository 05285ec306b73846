/**
 * A service as the mesh sees it, from a Kubernetes Service or one host of a ServiceEntry.
 * Invariant: `hostname` is fully qualified; `key` (`namespace/hostname`) is unique.
 */
import type { Service, ServiceEntrySpec, WorkloadEntrySpec } from "@argyle/kube-types";
import { type Config, decodeConfig } from "./config.ts";
import { type Protocol, parseProtocol, selectProtocol } from "./protocol.ts";

export interface MeshPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Number, or the name of a container port. */
  readonly targetPort: number | string;
}

export interface MeshService {
  readonly key: string;
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly createdAt: number;
  readonly registry: "Kubernetes" | "External";
  /** Virtual IPs or CIDRs; empty for headless services and for entries without addresses. */
  readonly addresses: readonly string[];
  readonly ports: readonly MeshPort[];
  /** How a client finds the endpoints: from istiod, by DNS, or by the address it asked for. */
  readonly resolution: "ClientSide" | "DNS" | "DNSRoundRobin" | "Passthrough";
  readonly isExternal: boolean;
  readonly exportTo: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly selector: Readonly<Record<string, string>> | undefined;
  /** Another name of this service: the target of an ExternalName Service. */
  readonly aliasOf: string | undefined;
  readonly publishNotReady: boolean;
  readonly subjectAltNames: readonly string[];
  readonly inlineEndpoints: readonly WorkloadEntrySpec[];
}

const EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo";

export function serviceOfKubernetes(service: Service, domain: string): MeshService {
  const { spec } = service;
  const config = decodeConfig<unknown>(service);
  const hostname = `${config.name}.${config.namespace}.svc.${domain}`;
  const isHeadless = spec.clusterIP === "None";
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return {
    key: `${config.namespace}/${hostname}`,
    hostname,
    name: config.name,
    namespace: config.namespace,
    createdAt: config.createdAt,
    registry: "Kubernetes",
    addresses: addresses.filter((address) => address !== "None" && address !== ""),
    ports: (spec.ports ?? [])
      .filter((port) => port.protocol === undefined || port.protocol === "TCP")
      .map((port) => ({
        name: port.name ?? "",
        port: port.port,
        protocol: selectProtocol(port),
        targetPort: port.targetPort === undefined || port.targetPort === 0 ? port.port : port.targetPort,
      })),
    resolution: isHeadless ? "Passthrough" : "ClientSide",
    isExternal: false,
    exportTo: splitList(config.annotations[EXPORT_TO_ANNOTATION]) ?? ["*"],
    labels: config.labels,
    selector: spec.selector,
    aliasOf: spec.type === "ExternalName" ? (spec.externalName ?? "").replace(/\.$/, "").toLowerCase() : undefined,
    publishNotReady: spec.publishNotReadyAddresses === true,
    subjectAltNames: [],
    inlineEndpoints: [],
  };
}

export function servicesOfEntry(config: Config<ServiceEntrySpec>): readonly MeshService[] {
  const { spec } = config;
  const resolution = RESOLUTIONS[spec.resolution ?? "NONE"];
  const hasEndpoints = (spec.endpoints ?? []).length > 0;
  return (spec.hosts ?? []).map((host) => ({
    key: `${config.namespace}/${host}`,
    hostname: host.toLowerCase(),
    name: config.name,
    namespace: config.namespace,
    createdAt: config.createdAt,
    registry: "External" as const,
    addresses: spec.addresses ?? [],
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name,
      port: port.number,
      protocol: parseProtocol(port.protocol, port.number),
      targetPort: port.targetPort ?? port.number,
    })),
    resolution,
    isExternal: spec.location !== "MESH_INTERNAL",
    exportTo: spec.exportTo ?? ["*"],
    labels: config.labels,
    selector: spec.workloadSelector?.labels,
    aliasOf: undefined,
    publishNotReady: false,
    subjectAltNames: spec.subjectAltNames ?? [],
    // A DNS entry without endpoints is its own endpoint.
    inlineEndpoints:
      !hasEndpoints && resolution !== "ClientSide" && resolution !== "Passthrough" && !host.includes("*")
        ? [{ address: host }]
        : (spec.endpoints ?? []),
  }));
}

export function portOf(service: MeshService, port: number): MeshPort | undefined {
  return service.ports.find((candidate) => candidate.port === port);
}

/** Visible in `namespace`: `*` everywhere, `.` in its own, a name in that namespace. */
export function isExportedTo(exportTo: readonly string[], own: string, namespace: string): boolean {
  if (exportTo.length === 0) return true;
  return exportTo.some((to) => to === "*" || to === namespace || (to === "." && own === namespace));
}

const RESOLUTIONS: Readonly<Record<NonNullable<ServiceEntrySpec["resolution"]>, MeshService["resolution"]>> = {
  NONE: "Passthrough",
  STATIC: "ClientSide",
  DNS: "DNS",
  DNS_ROUND_ROBIN: "DNSRoundRobin",
  DYNAMIC_DNS: "DNS",
};

function splitList(text: string | undefined): readonly string[] | undefined {
  return text === undefined ? undefined : text.split(",").map((part) => part.trim());
}
