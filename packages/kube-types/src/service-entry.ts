/** ServiceEntry. Source: Istio reference, networking/service-entry. */
import type { LabelsSelector, MeshPort } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly MeshPort[];
  readonly location?: "MESH_EXTERNAL" | "MESH_INTERNAL";
  readonly resolution?: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS";
  readonly endpoints?: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: LabelsSelector;
  readonly exportTo?: readonly string[];
  readonly subjectAltNames?: readonly string[];
}

export interface ServiceEntry extends KubeObject {
  readonly spec: ServiceEntrySpec;
}
