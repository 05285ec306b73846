/** The objects that a list or watch is about: namespace, name, labelSelector, fieldSelector. */
import {
  type KubeObject,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  type Resource,
} from "@argyle/kube-types";
import { badRequest } from "./status.ts";

export interface Selection {
  readonly matches: (object: KubeObject) => boolean;
  /** Set when the field selector names exactly one object. */
  readonly name: string | undefined;
}

/** Fields beyond metadata.name and metadata.namespace that each kind can be selected by, as in Kubernetes. */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
  ],
  Event: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  Namespace: ["status.phase", "name"],
  Node: ["spec.unschedulable"],
  Secret: ["type"],
  Service: ["spec.clusterIP", "spec.type"],
  ReplicaSet: ["status.replicas"],
};

export function readSelection(query: URLSearchParams, resource: Resource): Selection {
  const labelText = query.get("labelSelector") ?? "";
  const fieldText = query.get("fieldSelector") ?? "";
  const labels = parseLabelSelector(labelText);
  if (!labels.ok) throw badRequest(labels.error.map((p) => p.message).join(", "));
  const fields = parseFieldSelector(fieldText);
  if (!fields.ok) throw badRequest(fields.error.map((p) => p.message).join(", "));
  const allowed = ["metadata.name", "metadata.namespace", ...(SELECTABLE[resource.kind] ?? [])];
  for (const { path } of fields.value) {
    if (!allowed.includes(path)) throw badRequest(`field label not supported: ${path}`);
  }
  const name = fields.value.find((f) => f.path === "metadata.name" && f.operator === "=")?.value;
  const labelRequirements = labels.value;
  const fieldRequirements = fields.value;
  if (labelRequirements.length === 0 && fieldRequirements.length === 0) return { matches: () => true, name: undefined };
  return {
    matches: (object) =>
      matchesLabels(labelRequirements, object.metadata.labels) && matchesFields(fieldRequirements, object),
    name,
  };
}
