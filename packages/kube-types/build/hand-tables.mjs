// What the generated models do not say: which kinds are served, how lists and maps are merged, defaults of list keys, quantities.
// Source: the x-kubernetes-* extensions described in the Kubernetes API reference and in "Server-Side Apply", merge strategy.

/** group, version, kind, model of @kubernetes/client-node (or a name in EMPTY_DEFINITIONS). */
export const KINDS = [
  ["", "v1", "Namespace", "V1Namespace"],
  ["", "v1", "Node", "V1Node"],
  ["", "v1", "Pod", "V1Pod"],
  ["", "v1", "Service", "V1Service"],
  ["", "v1", "Endpoints", "V1Endpoints"],
  ["", "v1", "ConfigMap", "V1ConfigMap"],
  ["", "v1", "Secret", "V1Secret"],
  ["", "v1", "ServiceAccount", "V1ServiceAccount"],
  ["", "v1", "Event", "CoreV1Event"],
  ["apps", "v1", "Deployment", "V1Deployment"],
  ["apps", "v1", "ReplicaSet", "V1ReplicaSet"],
  ["discovery.k8s.io", "v1", "EndpointSlice", "V1EndpointSlice"],
  ["admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "V1MutatingWebhookConfiguration"],
  ["admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "V1ValidatingWebhookConfiguration"],
  ["coordination.k8s.io", "v1", "Lease", "V1Lease"],
  ["authentication.k8s.io", "v1", "TokenRequest", "AuthenticationV1TokenRequest"],
  ["authentication.k8s.io", "v1", "TokenReview", "V1TokenReview"],
  ["authentication.k8s.io", "v1", "SelfSubjectReview", "V1SelfSubjectReview"],
  ["authorization.k8s.io", "v1", "SelfSubjectAccessReview", "V1SelfSubjectAccessReview"],
  ["authorization.k8s.io", "v1", "SelfSubjectRulesReview", "V1SelfSubjectRulesReview"],
  ["authorization.k8s.io", "v1", "LocalSubjectAccessReview", "V1LocalSubjectAccessReview"],
  ["authorization.k8s.io", "v1", "SubjectAccessReview", "V1SubjectAccessReview"],
  ["autoscaling", "v1", "Scale", "V1Scale"],
  ["policy", "v1", "Eviction", "V1Eviction"],
  ["", "v1", "DeleteOptions", "V1DeleteOptions"],
  ["meta.k8s.io", "v1", "DeleteOptions", "V1DeleteOptions"],
  ["", "v1", "Status", "V1Status"],
  ["meta.k8s.io", "v1", "PartialObjectMetadata", "meta.v1.PartialObjectMetadata"],
];

/** Definitions without a model. */
export const EMPTY_DEFINITIONS = {
  "meta.v1.PartialObjectMetadata": {
    description: "An object of any kind with its metadata only.",
    type: "object",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { $ref: "#/components/schemas/v1.ObjectMeta" },
    },
  },
};

const map = (...keys) => ({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys });
const merge = (key, strategy = "merge") => ({
  "x-kubernetes-patch-merge-key": key,
  "x-kubernetes-patch-strategy": strategy,
});
const keyed = (...keys) => ({ ...map(...keys), ...merge(keys[0]) });
const set = { "x-kubernetes-list-type": "set" };
const atomic = { "x-kubernetes-list-type": "atomic" };

/** `Type.field` → merge extensions. A list that is not here is atomic for apply and replaced by a strategic merge patch. */
export const LISTS = {
  "ObjectMeta.ownerReferences": keyed("uid"),
  "ObjectMeta.finalizers": { ...set, "x-kubernetes-patch-strategy": "merge" },
  "PodSpec.containers": keyed("name"),
  "PodSpec.initContainers": keyed("name"),
  "PodSpec.ephemeralContainers": keyed("name"),
  "PodSpec.volumes": { ...map("name"), ...merge("name", "merge,retainKeys") },
  "PodSpec.imagePullSecrets": keyed("name"),
  "PodSpec.hostAliases": keyed("ip"),
  "PodSpec.schedulingGates": keyed("name"),
  "PodSpec.resourceClaims": { ...map("name"), ...merge("name", "merge,retainKeys") },
  "PodSpec.topologySpreadConstraints": { ...map("topologyKey", "whenUnsatisfiable"), ...merge("topologyKey") },
  "PodSpec.tolerations": atomic,
  "PodStatus.conditions": keyed("type"),
  "PodStatus.podIPs": keyed("ip"),
  "PodStatus.hostIPs": { ...atomic, ...merge("ip") },
  "PodStatus.resourceClaimStatuses": { ...map("name"), ...merge("name", "merge,retainKeys") },
  "Container.env": keyed("name"),
  "Container.ports": keyed("containerPort", "protocol"),
  "Container.volumeMounts": keyed("mountPath"),
  "Container.volumeDevices": keyed("devicePath"),
  "EphemeralContainer.env": keyed("name"),
  "EphemeralContainer.ports": keyed("containerPort", "protocol"),
  "EphemeralContainer.volumeMounts": keyed("mountPath"),
  "EphemeralContainer.volumeDevices": keyed("devicePath"),
  "ContainerStatus.volumeMounts": keyed("mountPath"),
  "ResourceRequirements.claims": map("name"),
  "VolumeResourceRequirements.claims": map("name"),
  "ServiceSpec.ports": keyed("port", "protocol"),
  "ServiceStatus.conditions": keyed("type"),
  "ServiceAccount.secrets": keyed("name"),
  "NodeSpec.podCIDRs": { ...set, "x-kubernetes-patch-strategy": "merge" },
  "NodeStatus.addresses": keyed("type"),
  "NodeStatus.conditions": keyed("type"),
  "NamespaceStatus.conditions": keyed("type"),
  "DeploymentSpec.strategy": { "x-kubernetes-patch-strategy": "retainKeys" },
  "DeploymentStatus.conditions": keyed("type"),
  "ReplicaSetStatus.conditions": keyed("type"),
  "Endpoint.addresses": set,
  "MutatingWebhookConfiguration.webhooks": keyed("name"),
  "ValidatingWebhookConfiguration.webhooks": keyed("name"),
  "MutatingWebhook.matchConditions": keyed("name"),
  "ValidatingWebhook.matchConditions": keyed("name"),
  "PodSpec.nodeSelector": { "x-kubernetes-map-type": "atomic" },
  "ServiceSpec.selector": { "x-kubernetes-map-type": "atomic" },
};

const atomicMap = { "x-kubernetes-map-type": "atomic" };

/** Types that apply replaces as a whole. */
export const MAPS = {
  LabelSelector: atomicMap,
  LocalObjectReference: atomicMap,
  ObjectReference: atomicMap,
  OwnerReference: atomicMap,
  TypedLocalObjectReference: atomicMap,
  ConfigMapKeySelector: atomicMap,
  SecretKeySelector: atomicMap,
  ObjectFieldSelector: atomicMap,
  ResourceFieldSelector: atomicMap,
  FileKeySelector: atomicMap,
  NodeSelector: atomicMap,
  NodeSelectorTerm: atomicMap,
  SecretReference: atomicMap,
};

/** Defaults that identify a list entry. All other defaults are in src/defaults. */
export const DEFAULTS = {
  "ContainerPort.protocol": "TCP",
  "ServicePort.protocol": "TCP",
};

/** Members whose values are quantities: text or a number. */
export const QUANTITIES = new Set([
  "limits",
  "requests",
  "capacity",
  "allocatable",
  "overhead",
  "hard",
  "sizeLimit",
  "divisor",
  "allocatedResources",
]);

/** Members that hold any JSON. */
export const UNCHECKED = new Set(["ManagedFieldsEntry.fieldsV1"]);
