/** A pod or WorkloadEntry as the mesh sees it: address, identity, labels, and the names by which telemetry speaks of it. */
import type { Node, Pod, WorkloadEntrySpec } from "@argyle/kube-types";
import type { Config } from "./config.ts";

export interface Locality {
  readonly region?: string;
  readonly zone?: string;
  readonly sub_zone?: string;
}

export interface Workload {
  readonly ip: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of the Deployment, or of whatever owns the pod. */
  readonly workloadName: string;
  readonly hasSidecar: boolean;
  readonly nodeName: string;
  readonly isReady: boolean;
  /** Container ports by name, for Services with a named targetPort. */
  readonly namedPorts: ReadonlyMap<string, number>;
}

export const TLS_MODE_LABEL = "security.istio.io/tlsMode";
export const CANONICAL_NAME_LABEL = "service.istio.io/canonical-name";
export const CANONICAL_REVISION_LABEL = "service.istio.io/canonical-revision";

export function workloadOfPod(pod: Pod): Workload | undefined {
  const ip = pod.status?.podIP;
  if (ip === undefined || ip === "" || pod.spec.hostNetwork === true) return undefined;
  if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return undefined;
  const labels = pod.metadata.labels ?? {};
  return {
    ip,
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "default",
    serviceAccount: pod.spec.serviceAccountName ?? "default",
    labels,
    workloadName: workloadNameOf(pod.metadata),
    hasSidecar: labels[TLS_MODE_LABEL] === "istio",
    nodeName: pod.spec.nodeName ?? "",
    isReady: pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true,
    namedPorts: new Map(
      pod.spec.containers.flatMap((container) =>
        (container.ports ?? []).flatMap((port) =>
          port.name === undefined ? [] : [[port.name, port.containerPort] as const],
        ),
      ),
    ),
  };
}

export function workloadOfEntry(entry: Config<WorkloadEntrySpec>): Workload | undefined {
  const { address, labels = {}, serviceAccount = "default" } = entry.spec;
  if (address === undefined || address === "") return undefined;
  return {
    ip: address,
    name: entry.name,
    namespace: entry.namespace,
    serviceAccount,
    labels,
    workloadName: entry.name,
    hasSidecar: labels[TLS_MODE_LABEL] === "istio",
    nodeName: "",
    isReady: true,
    namedPorts: new Map(Object.entries(entry.spec.ports ?? {})),
  };
}

/** The Deployment of a pod is read off its ReplicaSet's name: without the pod template hash. */
export function workloadNameOf(metadata: {
  readonly name?: string;
  readonly generateName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[];
}): string {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  const hash = metadata.labels?.["pod-template-hash"];
  if (owner !== undefined) {
    return owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`)
      ? owner.name.slice(0, -hash.length - 1)
      : owner.name;
  }
  if (metadata.name !== undefined && metadata.name !== "") return metadata.name;
  const generated = (metadata.generateName ?? "").replace(/-$/, "");
  return hash !== undefined && generated.endsWith(`-${hash}`) ? generated.slice(0, -hash.length - 1) : generated;
}

/** Spec: istio.io, Canonical Service. */
export function canonicalName(labels: Readonly<Record<string, string>>, workloadName: string): string {
  return labels[CANONICAL_NAME_LABEL] ?? labels["app.kubernetes.io/name"] ?? labels.app ?? workloadName;
}

export function canonicalRevision(labels: Readonly<Record<string, string>>): string {
  return labels[CANONICAL_REVISION_LABEL] ?? labels["app.kubernetes.io/version"] ?? labels.version ?? "latest";
}

export function localityOfNode(node: Node): Locality {
  const labels = node.metadata.labels ?? {};
  const region = labels["topology.kubernetes.io/region"];
  const zone = labels["topology.kubernetes.io/zone"];
  const subZone = labels["topology.istio.io/subzone"];
  return {
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { sub_zone: subZone }),
  };
}
