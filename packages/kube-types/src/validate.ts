/**
 * Kubernetes' own validation, after defaulting: what an object must be to be stored, and what an update may not change. All problems at once,
 * in Kubernetes' words, so that kubectl prints what it prints against a cluster. Custom kinds have their metadata checked here and their
 * content by schema and webhook.
 */
import type { FieldProblem } from "./field-problem.ts";
import type { KubeObject } from "./object.ts";
import type { Tree } from "./tree.ts";
import { validateDeployment, validateReplicaSet, validateSelectorUpdate } from "./validate/deployment.ts";
import { validateMetadata, validateMetadataUpdate } from "./validate/metadata.ts";
import { validatePod, validatePodUpdate } from "./validate/pod.ts";
import {
  validateEndpointSlice,
  validateEndpointSliceUpdate,
  validateEndpoints,
  validateService,
  validateServiceUpdate,
} from "./validate/service.ts";
import {
  validateConfigMap,
  validateImmutableUpdate,
  validateSecret,
  validateSecretUpdate,
} from "./validate/stored-text.ts";
import { validateWebhookConfiguration } from "./validate/webhook-configuration.ts";

interface Rules {
  readonly create: (object: Tree) => readonly FieldProblem[];
  readonly update?: (before: Tree, after: Tree) => readonly FieldProblem[];
}

const RULES: Readonly<Record<string, Rules>> = {
  "v1 Pod": { create: validatePod, update: validatePodUpdate },
  "v1 Service": { create: validateService, update: validateServiceUpdate },
  "v1 Endpoints": { create: validateEndpoints },
  "v1 ConfigMap": { create: validateConfigMap, update: validateImmutableUpdate },
  "v1 Secret": { create: validateSecret, update: validateSecretUpdate },
  "apps/v1 Deployment": { create: validateDeployment, update: validateSelectorUpdate },
  "apps/v1 ReplicaSet": { create: validateReplicaSet, update: validateSelectorUpdate },
  "discovery.k8s.io/v1 EndpointSlice": { create: validateEndpointSlice, update: validateEndpointSliceUpdate },
  "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration": { create: validateWebhookConfiguration },
  "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration": { create: validateWebhookConfiguration },
};

export function validateCreate(object: KubeObject): readonly FieldProblem[] {
  const tree = object as unknown as Tree;
  return [...validateMetadata(tree), ...(rulesOf(object)?.create(tree) ?? [])];
}

/** `before` is what is stored, `after` what would be. */
export function validateUpdate(before: KubeObject, after: KubeObject): readonly FieldProblem[] {
  const was = before as unknown as Tree;
  const is = after as unknown as Tree;
  const metadata = validateMetadataUpdate(was, is);
  // A status' update shares the content with what is stored, and the rules are about content.
  if (hasContentOf(is, was)) return [...metadata, ...validateMetadata(is)];
  return [...metadata, ...validateCreate(after), ...(rulesOf(after)?.update?.(was, is) ?? [])];
}

/** Every member of it but metadata and status is the other's very own. */
function hasContentOf(object: Tree, other: Tree): boolean {
  return [...Object.keys(object), ...Object.keys(other)].every(
    (key) => key === "metadata" || key === "status" || object[key] === other[key],
  );
}

function rulesOf(object: KubeObject): Rules | undefined {
  return RULES[`${object.apiVersion} ${object.kind}`];
}
