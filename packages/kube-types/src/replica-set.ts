/** ReplicaSet. Source: Kubernetes API reference, apps/v1 ReplicaSet. */
import type { Condition, KubeObject, LabelSelector } from "./object.ts";
import type { PodTemplateSpec } from "./pod.ts";

/** Added to the selector, the template and the pods of a Deployment's ReplicaSet. */
export const POD_TEMPLATE_HASH_LABEL = "pod-template-hash";

export interface ReplicaSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly selector: LabelSelector;
    readonly template?: PodTemplateSpec;
  };
  readonly status?: {
    readonly replicas: number;
    readonly fullyLabeledReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly terminatingReplicas?: number;
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
  };
}
