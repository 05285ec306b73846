/** Deployments and ReplicaSets. */
import type { Deployment } from "../deployment.ts";
import type { LabelSelector } from "../object.ts";
import type { PodTemplateSpec } from "../pod.ts";
import type { ReplicaSet } from "../replica-set.ts";
import { formatLabelSelector } from "../selector.ts";
import { ageColumn, type Column, cellOf, NONE, nameColumn } from "./column.ts";

export const deploymentColumns: readonly Column[] = [
  nameColumn,
  cellOf<Deployment>("Ready", (d) => `${d.status?.readyReplicas ?? 0}/${d.spec.replicas ?? 1}`),
  cellOf<Deployment>("Up-to-date", (d) => d.status?.updatedReplicas ?? 0, { type: "integer" }),
  cellOf<Deployment>("Available", (d) => d.status?.availableReplicas ?? 0, { type: "integer" }),
  ageColumn,
  cellOf<Deployment>("Containers", (d) => containerNames(d.spec.template), { wide: true }),
  cellOf<Deployment>("Images", (d) => containerImages(d.spec.template), { wide: true }),
  cellOf<Deployment>("Selector", (d) => formatSelector(d.spec.selector), { wide: true }),
];

export const replicaSetColumns: readonly Column[] = [
  nameColumn,
  cellOf<ReplicaSet>("Desired", (r) => r.spec.replicas ?? 1, { type: "integer" }),
  cellOf<ReplicaSet>("Current", (r) => r.status?.replicas ?? 0, { type: "integer" }),
  cellOf<ReplicaSet>("Ready", (r) => r.status?.readyReplicas ?? 0, { type: "integer" }),
  ageColumn,
  cellOf<ReplicaSet>("Containers", (r) => containerNames(r.spec.template), { wide: true }),
  cellOf<ReplicaSet>("Images", (r) => containerImages(r.spec.template), { wide: true }),
  cellOf<ReplicaSet>("Selector", (r) => formatSelector(r.spec.selector), { wide: true }),
];

function containerNames(template: PodTemplateSpec | undefined): string {
  return (template?.spec.containers ?? []).map((c) => c.name).join(",");
}

function containerImages(template: PodTemplateSpec | undefined): string {
  return (template?.spec.containers ?? []).map((c) => c.image ?? "").join(",");
}

function formatSelector(selector: LabelSelector | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return formatLabelSelector({ ...selector, matchLabels: Object.fromEntries(labels) }) || NONE;
}
