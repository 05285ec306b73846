/** Nodes and Namespaces. */
import type { Namespace } from "../namespace.ts";
import type { Node, NodeSystemReport } from "../node.ts";
import { ageColumn, type Column, cellOf, NONE, nameColumn } from "./column.ts";

export const nodeColumns: readonly Column[] = [
  nameColumn,
  cellOf<Node>("Status", status),
  cellOf<Node>("Roles", roles),
  ageColumn,
  cellOf<Node>("Version", (n) => n.status?.nodeInfo?.kubeletVersion ?? ""),
  cellOf<Node>("Internal-IP", (n) => address(n, "InternalIP"), { wide: true }),
  cellOf<Node>("External-IP", (n) => address(n, "ExternalIP"), { wide: true }),
  cellOf<Node>("OS-Image", (n) => system(n, "osImage"), { wide: true }),
  cellOf<Node>("Kernel-Version", (n) => system(n, "kernelVersion"), { wide: true }),
  cellOf<Node>("Container-Runtime", (n) => system(n, "containerRuntimeVersion"), { wide: true }),
];

export const namespaceColumns: readonly Column[] = [
  nameColumn,
  cellOf<Namespace>("Status", (n) => n.status?.phase ?? "Active"),
  ageColumn,
];

function status(node: Node): string {
  const ready = node.status?.conditions?.find((c) => c.type === "Ready");
  const text = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return node.spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function roles(node: Node): string {
  const found = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith("node-role.kubernetes.io/")) return [key.slice("node-role.kubernetes.io/".length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  });
  const named = [...new Set(found)].filter((role) => role !== "").sort();
  return named.length === 0 ? NONE : named.join(",");
}

function address(node: Node, type: string): string {
  return node.status?.addresses?.find((a) => a.type === type)?.address ?? NONE;
}

function system(node: Node, field: keyof NodeSystemReport): string {
  return node.status?.nodeInfo?.[field] || "<unknown>";
}
