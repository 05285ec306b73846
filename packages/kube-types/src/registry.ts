/**
 * The table of resources: which kinds exist, where they are served, in which versions, and what kubectl may call them.
 * Read by the API server (routing, discovery), the clients (paths) and the controllers. Nothing registers itself: this list is the truth.
 */
export interface Resource {
  /** "" for the core group. */
  readonly group: string;
  /** Served versions, the preferred (and stored) one first. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Subresources with their own path: status, scale, log, exec, token, eviction … */
  readonly subresources?: readonly string[];
  /** A custom resource on a real cluster: merge patch only, list items carry kind and apiVersion. */
  readonly custom?: boolean;
}

const core = (kind: string, plural: string, more: Partial<Resource> = {}): Resource => ({
  group: "",
  versions: ["v1"],
  kind,
  plural,
  singular: kind.toLowerCase(),
  namespaced: true,
  ...more,
});

const istio = (
  group: string,
  versions: readonly string[],
  kind: string,
  plural: string,
  shortNames: readonly string[],
): Resource => ({
  group: `${group}.istio.io`,
  versions,
  kind,
  plural,
  singular: kind.toLowerCase(),
  namespaced: true,
  shortNames,
  categories: ["istio-io", `${group}-istio-io`],
  subresources: ["status"],
  custom: true,
});

const NETWORKING = ["v1", "v1beta1", "v1alpha3"];
const SECURITY = ["v1", "v1beta1"];

export const RESOURCES: readonly Resource[] = [
  core("Namespace", "namespaces", { namespaced: false, shortNames: ["ns"], subresources: ["status", "finalize"] }),
  core("Node", "nodes", { namespaced: false, shortNames: ["no"], subresources: ["status", "proxy"] }),
  core("Pod", "pods", {
    shortNames: ["po"],
    categories: ["all"],
    subresources: ["status", "log", "exec", "attach", "portforward", "eviction", "ephemeralcontainers", "proxy"],
  }),
  core("Service", "services", { shortNames: ["svc"], categories: ["all"], subresources: ["status", "proxy"] }),
  core("Endpoints", "endpoints", { shortNames: ["ep"], singular: "endpoints" }),
  core("ConfigMap", "configmaps", { shortNames: ["cm"] }),
  core("Secret", "secrets"),
  core("ServiceAccount", "serviceaccounts", { shortNames: ["sa"], subresources: ["token"] }),
  core("Event", "events", { shortNames: ["ev"] }),
  {
    group: "apps",
    versions: ["v1"],
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    namespaced: true,
    shortNames: ["deploy"],
    categories: ["all"],
    subresources: ["status", "scale"],
  },
  {
    group: "apps",
    versions: ["v1"],
    kind: "ReplicaSet",
    plural: "replicasets",
    singular: "replicaset",
    namespaced: true,
    shortNames: ["rs"],
    categories: ["all"],
    subresources: ["status", "scale"],
  },
  {
    group: "discovery.k8s.io",
    versions: ["v1"],
    kind: "EndpointSlice",
    plural: "endpointslices",
    singular: "endpointslice",
    namespaced: true,
  },
  {
    group: "admissionregistration.k8s.io",
    versions: ["v1"],
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    singular: "mutatingwebhookconfiguration",
    namespaced: false,
    categories: ["api-extensions"],
  },
  {
    group: "admissionregistration.k8s.io",
    versions: ["v1"],
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
    singular: "validatingwebhookconfiguration",
    namespaced: false,
    categories: ["api-extensions"],
  },
  {
    group: "coordination.k8s.io",
    versions: ["v1"],
    kind: "Lease",
    plural: "leases",
    singular: "lease",
    namespaced: true,
  },
  istio("networking", NETWORKING, "VirtualService", "virtualservices", ["vs"]),
  istio("networking", NETWORKING, "DestinationRule", "destinationrules", ["dr"]),
  istio("networking", NETWORKING, "Gateway", "gateways", ["gw"]),
  istio("networking", NETWORKING, "ServiceEntry", "serviceentries", ["se"]),
  istio("networking", NETWORKING, "Sidecar", "sidecars", []),
  istio("networking", NETWORKING, "WorkloadEntry", "workloadentries", ["we"]),
  istio("networking", NETWORKING, "WorkloadGroup", "workloadgroups", ["wg"]),
  istio("networking", ["v1alpha3"], "EnvoyFilter", "envoyfilters", []),
  istio("networking", ["v1beta1"], "ProxyConfig", "proxyconfigs", []),
  istio("security", SECURITY, "AuthorizationPolicy", "authorizationpolicies", ["ap"]),
  istio("security", SECURITY, "PeerAuthentication", "peerauthentications", ["pa"]),
  istio("security", SECURITY, "RequestAuthentication", "requestauthentications", ["ra"]),
  istio("telemetry", ["v1", "v1alpha1"], "Telemetry", "telemetries", ["telemetry"]),
  istio("extensions", ["v1alpha1"], "WasmPlugin", "wasmplugins", []),
];

const review = (group: string, kind: string, namespaced = false): Resource => ({
  group,
  versions: ["v1"],
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  namespaced,
});

/** Questions that are posted and answered at once; nothing is stored and the only verb is create. */
export const REVIEWS: readonly Resource[] = [
  review("authentication.k8s.io", "TokenReview"),
  review("authentication.k8s.io", "SelfSubjectReview"),
  review("authorization.k8s.io", "LocalSubjectAccessReview", true),
  review("authorization.k8s.io", "SelfSubjectAccessReview"),
  review("authorization.k8s.io", "SelfSubjectRulesReview"),
  review("authorization.k8s.io", "SubjectAccessReview"),
];

/** The resource of an apiVersion and kind, or undefined when it is not served. */
export function findResource(apiVersion: string, kind: string): Resource | undefined {
  const slash = apiVersion.lastIndexOf("/");
  const group = slash === -1 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  return RESOURCES.find((r) => r.group === group && r.kind === kind && r.versions.includes(version));
}

/** The resource of a kind under its preferred version; throws for a kind that is not in the table (a programming error). */
export function resourceOf(kind: string, group?: string): Resource {
  const found = RESOURCES.find((r) => r.kind === kind && (group === undefined || r.group === group));
  if (found === undefined) throw new Error(`kind ${kind} is not in the registry`);
  return found;
}

/** `apps/v1`, `v1`: the apiVersion under which a resource is preferred, or of the given version. */
export function apiVersionOf(resource: Resource, version = resource.versions[0] ?? "v1"): string {
  return resource.group === "" ? version : `${resource.group}/${version}`;
}

/** REST path of a collection or of one object, without query. Source: Kubernetes API concepts, "Resource URIs". */
export function resourcePath(
  resource: Resource,
  at: { readonly namespace?: string; readonly name?: string; readonly subresource?: string; readonly version?: string },
): string {
  const version = at.version ?? resource.versions[0] ?? "v1";
  const root = resource.group === "" ? `/api/${version}` : `/apis/${resource.group}/${version}`;
  const scope = resource.namespaced && at.namespace !== undefined ? `/namespaces/${at.namespace}` : "";
  const name = at.name === undefined ? "" : `/${at.name}`;
  return `${root}${scope}/${resource.plural}${name}${at.subresource === undefined ? "" : `/${at.subresource}`}`;
}
