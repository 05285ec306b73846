/**
 * Istio's kinds. On a cluster the columns come from each CustomResourceDefinition: a path into the object, lists as compact JSON, a missing
 * value as an empty cell. Source: the additionalPrinterColumns of Istio's CRDs.
 */
import type { KubeObject } from "../object.ts";
import { isTree } from "../tree.ts";
import { ageColumn, type Column, nameColumn } from "./column.ts";

const at = (name: string, ...path: readonly string[]): Column => ({
  name,
  cell: (object: KubeObject) => {
    let value: unknown = object;
    for (const step of path) value = isTree(value) ? value[step] : undefined;
    if (value === undefined || value === null) return null;
    return typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
  },
});

const PRINTED: Readonly<Record<string, readonly Column[]>> = {
  VirtualService: [at("Gateways", "spec", "gateways"), at("Hosts", "spec", "hosts"), ageColumn],
  DestinationRule: [at("Host", "spec", "host"), ageColumn],
  ServiceEntry: [
    at("Hosts", "spec", "hosts"),
    at("Location", "spec", "location"),
    at("Resolution", "spec", "resolution"),
    ageColumn,
  ],
  WorkloadEntry: [ageColumn, at("Address", "spec", "address")],
  AuthorizationPolicy: [at("Action", "spec", "action"), ageColumn],
  PeerAuthentication: [at("Mode", "spec", "mtls", "mode"), ageColumn],
};

/** Name and age for the kinds that print nothing more. */
export function istioColumns(kind: string): readonly Column[] {
  return [nameColumn, ...(PRINTED[kind] ?? [ageColumn])];
}
