/**
 * The downward API: a field of the pod or a resource of a container, as text. Used by env (`fieldRef`, `resourceFieldRef`) and by volumes.
 * Source: Kubernetes, "Downward API: available fields". Undefined means that the field is not supported.
 */
import { type FieldSelectorSource, type Pod, parseQuantity, type ResourceFieldSource } from "@argyle/kube-types";

export interface NodeFacts {
  readonly nodeName: string;
  readonly hostIP: string;
  readonly cpus: number;
  readonly memoryBytes: number;
}

export function readPodField(pod: Pod, podIP: string, node: NodeFacts, ref: FieldSelectorSource): string | undefined {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(ref.fieldPath);
  if (keyed !== null) return metadata[keyed[1] === "labels" ? "labels" : "annotations"]?.[keyed[2] ?? ""] ?? "";
  switch (ref.fieldPath) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? node.nodeName;
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.hostIP":
    case "status.hostIPs":
      return node.hostIP;
    case "status.podIP":
    case "status.podIPs":
      return podIP;
    default:
      return undefined;
  }
}

/** Limits that are not set are the node's capacity; the divisor rounds up. */
export function readResourceField(
  pod: Pod,
  containerName: string,
  node: NodeFacts,
  ref: ResourceFieldSource,
): string | undefined {
  const name = ref.containerName ?? containerName;
  const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((c) => c.name === name);
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage)$/.exec(ref.resource);
  if (container === undefined || match === null) return undefined;
  const kind = match[2] ?? "";
  const capacity = kind === "cpu" ? node.cpus : kind === "memory" ? node.memoryBytes : 0;
  const set = container.resources?.[match[1] === "limits" ? "limits" : "requests"]?.[kind];
  const value = set === undefined ? (match[1] === "limits" ? capacity : 0) : parseQuantity(set);
  const divisor = parseQuantity(ref.divisor === undefined || ref.divisor === "0" ? "1" : ref.divisor);
  if (value === undefined || divisor === undefined || divisor <= 0) return undefined;
  return String(Math.ceil(value / divisor));
}

/** One `key="value"` a line, sorted, as the kubelet writes label files. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}
