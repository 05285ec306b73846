/**
 * What single kinds need beyond the common rules, before they are stored: initial status, derived fields, allocations.
 * Runs after admission and before validation. Source: the PrepareForCreate/PrepareForUpdate of each kind's strategy in Kubernetes.
 */
import type { Problem } from "@argyle/core";
import type { KubeObject, Resource } from "@argyle/kube-types";
import { ensureObject, isJsonObject, type JsonObject, listOf, textAt } from "../json.ts";
import type { ServiceAllocator } from "./service-allocator.ts";

/** A client's status counts for nothing on create (`kubectl run` sends `{}`); Nodes are the exception, they register with theirs. */
export function resetStatus(object: JsonObject, resource: Resource): void {
  if (resource.kind === "Node" || !(resource.subresources ?? []).includes("status")) return;
  switch (resource.kind) {
    case "Pod":
      object.status = { phase: "Pending", qosClass: qosClass(object) };
      return;
    case "Namespace":
      object.status = { phase: "Active" };
      return;
    case "Service":
      object.status = { loadBalancer: {} };
      return;
    default:
      if (resource.custom === true) delete object.status;
      else object.status = {};
  }
}

export function prepareKind(
  object: JsonObject,
  resource: Resource,
  current: KubeObject | undefined,
  allocator: ServiceAllocator,
): readonly Problem[] {
  switch (resource.kind) {
    case "Service":
      return resource.group === "" ? allocator.allocate(object, current) : [];
    case "Namespace": {
      const name = textAt(object, "metadata", "name");
      ensureObject(ensureObject(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
      if (current === undefined) object.spec = { finalizers: ["kubernetes"] };
      return [];
    }
    default:
      return [];
  }
}

/** Source: Kubernetes documentation, "Pod Quality of Service Classes". */
function qosClass(pod: JsonObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const spec = isJsonObject(pod.spec) ? pod.spec : {};
  const containers = [...listOf(spec.containers), ...listOf(spec.initContainers)].filter(isJsonObject);
  let hasAny = false;
  let isGuaranteed = containers.length > 0;
  for (const container of containers) {
    const resources = isJsonObject(container.resources) ? container.resources : {};
    const requests = isJsonObject(resources.requests) ? resources.requests : {};
    const limits = isJsonObject(resources.limits) ? resources.limits : {};
    for (const name of ["cpu", "memory"]) {
      if (requests[name] !== undefined || limits[name] !== undefined) hasAny = true;
      if (limits[name] === undefined || (requests[name] ?? limits[name]) !== limits[name]) isGuaranteed = false;
    }
  }
  if (!hasAny) return "BestEffort";
  return isGuaranteed ? "Guaranteed" : "Burstable";
}
