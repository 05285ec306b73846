/**
 * What is served: aggregated discovery (v2) for clients that ask for it, the older lists for all others, made once from the registry.
 * Source: Kubernetes documentation, "The Kubernetes API", discovery; API reference apidiscovery.k8s.io/v2.
 */
import { apiVersionOf, RESOURCES, REVIEWS, type Resource } from "@argyle/kube-types";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

interface Subresource {
  readonly verbs: readonly string[];
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

const SUBRESOURCES: Readonly<Record<string, Subresource>> = {
  status: { verbs: ["get", "patch", "update"] },
  scale: { verbs: ["get", "patch", "update"], group: "autoscaling", version: "v1", kind: "Scale" },
  ephemeralcontainers: { verbs: ["get", "patch", "update"] },
  finalize: { verbs: ["update"] },
  log: { verbs: ["get"] },
  exec: { verbs: ["create", "get"], kind: "PodExecOptions" },
  attach: { verbs: ["create", "get"], kind: "PodAttachOptions" },
  portforward: { verbs: ["create", "get"], kind: "PodPortForwardOptions" },
  proxy: { verbs: ["create", "delete", "get", "patch", "update"] },
  binding: { verbs: ["create"], kind: "Binding" },
  eviction: { verbs: ["create"], group: "policy", version: "v1", kind: "Eviction" },
  token: { verbs: ["create"], group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
};

interface Served {
  readonly resource: Resource;
  readonly verbs: readonly string[];
}

const SERVED: readonly Served[] = [
  ...RESOURCES.map((resource) => ({ resource, verbs: VERBS })),
  ...REVIEWS.map((resource) => ({ resource, verbs: ["create"] })),
];

function subresourcesOf(resource: Resource): readonly string[] {
  const own = resource.subresources ?? [];
  return resource.kind === "Pod" && !own.includes("binding") ? [...own, "binding"] : own;
}

/** Groups in order of first appearance, each with its versions by Kubernetes' version priority. */
function groups(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  for (const { resource } of SERVED) {
    const versions = found.get(resource.group) ?? new Set();
    for (const version of resource.versions) versions.add(version);
    found.set(resource.group, versions);
  }
  return new Map([...found].map(([group, versions]) => [group, [...versions].sort(compareVersions)]));
}

/** GA before beta before alpha, higher numbers first: v2 v1 v1beta2 v1beta1 v1alpha3. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    const stage = match?.[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0;
    return [stage, Number(match?.[1] ?? 0), Number(match?.[3] ?? 0)] as const;
  };
  const [x, y] = [parse(a), parse(b)];
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2];
}

export function aggregatedDiscovery(isCore: boolean, version: string): object {
  const items = [...groups()]
    .filter(([group]) => (group === "") === isCore)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((v) => ({
        version: v,
        freshness: "Current",
        resources: servedIn(group, v).map((served) => aggregatedResource(served, v)),
      })),
    }));
  return { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

function aggregatedResource({ resource, verbs }: Served, version: string): object {
  const kind = { group: resource.group, version, kind: resource.kind };
  const subresources = subresourcesOf(resource).map((name) => {
    const sub = SUBRESOURCES[name];
    return {
      subresource: name,
      responseKind: {
        group: sub?.group ?? resource.group,
        version: sub?.version ?? version,
        kind: sub?.kind ?? resource.kind,
      },
      verbs: sub?.verbs ?? ["get"],
    };
  });
  return {
    resource: resource.plural,
    responseKind: kind,
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs,
    ...(resource.shortNames === undefined ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories === undefined ? {} : { categories: resource.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function servedIn(group: string, version: string): readonly Served[] {
  return SERVED.filter(({ resource }) => resource.group === group && resource.versions.includes(version));
}

export function coreVersions(serverAddress: string): object {
  return {
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
  };
}

export function groupList(): object {
  const names = [...groups().keys()].filter((group) => group !== "");
  return { kind: "APIGroupList", apiVersion: "v1", groups: names.map(groupEntry) };
}

/** `/apis/GROUP`; undefined for a group that is not served. */
export function oneGroup(group: string): object | undefined {
  return group !== "" && groups().has(group) ? { kind: "APIGroup", apiVersion: "v1", ...groupEntry(group) } : undefined;
}

function groupEntry(group: string) {
  const versions = (groups().get(group) ?? []).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

/** `/api/v1`, `/apis/GROUP/VERSION`; undefined when not served. */
export function resourceList(group: string, version: string): object | undefined {
  const served = servedIn(group, version);
  if (served.length === 0) return undefined;
  const resources = served.flatMap(({ resource, verbs }) => [
    {
      name: resource.plural,
      singularName: resource.singular,
      namespaced: resource.namespaced,
      kind: resource.kind,
      verbs,
      ...(resource.shortNames === undefined ? {} : { shortNames: resource.shortNames }),
      ...(resource.categories === undefined ? {} : { categories: resource.categories }),
    },
    ...subresourcesOf(resource).map((name) => {
      const sub = SUBRESOURCES[name];
      return {
        name: `${resource.plural}/${name}`,
        singularName: "",
        namespaced: resource.namespaced,
        ...(sub?.group === undefined ? {} : { group: sub.group, version: sub.version }),
        kind: sub?.kind ?? resource.kind,
        verbs: sub?.verbs ?? ["get"],
      };
    }),
  ]);
  const first = served[0];
  const groupVersion = first === undefined ? version : apiVersionOf(first.resource, version);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}
