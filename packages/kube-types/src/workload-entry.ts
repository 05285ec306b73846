/** WorkloadEntry and WorkloadGroup. Source: Istio reference, networking/workload-entry, networking/workload-group. */
import type { Probe } from "./container.ts";
import type { KubeObject } from "./object.ts";

export interface WorkloadEntrySpec {
  /** IP, DNS name, or `unix:///path`. */
  readonly address?: string;
  /** Port name to number. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly network?: string;
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}

export interface WorkloadEntry extends KubeObject {
  readonly spec: WorkloadEntrySpec;
}

export interface WorkloadGroup extends KubeObject {
  readonly spec: {
    readonly metadata?: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly template: WorkloadEntrySpec;
    readonly probe?: Probe;
  };
}
