/** Lease. Source: Kubernetes API reference, coordination.k8s.io/v1 Lease. */
import type { KubeObject } from "./object.ts";

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}
