/**
 * The defaults that Kubernetes' API server writes into an object before validation. Pure and idempotent; what is set is never changed, and
 * an object that lacks nothing is returned as it is. Kinds that are not here (custom kinds among them) have no defaults.
 */
import { deploymentDefaults, replicaSetDefaults } from "./defaults/deployment.ts";
import { namespaceDefaults } from "./defaults/namespace.ts";
import { podDefaults } from "./defaults/pod.ts";
import { secretDefaults } from "./defaults/secret.ts";
import { endpointSliceDefaults, endpointsDefaults, serviceDefaults } from "./defaults/service.ts";
import { mutatingWebhookDefaults, validatingWebhookDefaults } from "./defaults/webhook-configuration.ts";
import type { KubeObject } from "./object.ts";
import { mapMember, type Tree, withDefaults } from "./tree.ts";

const DEFAULTS: Readonly<Record<string, (object: Tree) => Tree>> = {
  "v1 Namespace": namespaceDefaults,
  "v1 Pod": podDefaults,
  "v1 Service": serviceDefaults,
  "v1 Endpoints": endpointsDefaults,
  "v1 Secret": secretDefaults,
  "apps/v1 Deployment": deploymentDefaults,
  "apps/v1 ReplicaSet": replicaSetDefaults,
  "discovery.k8s.io/v1 EndpointSlice": endpointSliceDefaults,
  "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration": mutatingWebhookDefaults,
  "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration": validatingWebhookDefaults,
  "authentication.k8s.io/v1 TokenRequest": (request) =>
    mapMember(request, "spec", (spec) => withDefaults(spec, { expirationSeconds: 3600 })),
};

export function applyDefaults<T extends Pick<KubeObject, "apiVersion" | "kind">>(object: T): T {
  const apply = DEFAULTS[`${object.apiVersion} ${object.kind}`];
  return apply === undefined ? object : (apply(object as unknown as Tree) as unknown as T);
}
