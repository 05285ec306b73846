/**
 * The inputs of istiod: Kubernetes and Istio objects, folded into a MeshState. Pure bookkeeping: whoever watches (kube-inputs.ts) or
 * reads files (file-inputs.ts) calls `apply`.
 * Invariant: a part of the state is rebuilt only when an object of its kinds changed, and keeps its version and identity when the
 * result is equal; endpoints are rebuilt per service.
 */
import type {
  AuthorizationPolicySpec,
  DestinationRuleSpec,
  EndpointSlice,
  Gateway,
  KubeObject,
  Node,
  PeerAuthentication,
  Pod,
  RequestAuthentication,
  Secret,
  Service,
  ServiceEntrySpec,
  SidecarSpec,
  VirtualServiceSpec,
  WorkloadEntrySpec,
} from "@argyle/kube-types";
import { byAge, type Config, compareText, decodeConfig } from "./model/config.ts";
import { endpointsOfEntry, endpointsOfSlices, type MeshEndpoint, serviceNameOfSlice } from "./model/endpoint.ts";
import { decodeMeshConfig, type MeshConfig } from "./model/mesh-config.ts";
import type { MeshState, Part, TlsSecret } from "./model/mesh-state.ts";
import { PARTS } from "./model/mesh-state.ts";
import { type MeshService, serviceOfKubernetes, servicesOfEntry } from "./model/service.ts";
import { tlsSecretOf } from "./model/tls-secret.ts";
import { resolveVirtualServices } from "./model/virtual-service.ts";
import { localityOfNode, type Workload, workloadOfEntry, workloadOfPod } from "./model/workload.ts";

export interface ObjectChange {
  readonly type: "set" | "delete";
  readonly object: KubeObject;
}

/** What a batch of changes touched. */
export interface MeshDelta {
  readonly parts: ReadonlySet<Part>;
  /** Keys of the services whose endpoints changed. */
  readonly endpointsOf: ReadonlySet<string>;
}

export interface MeshCollections {
  state(): MeshState;
  /** Applies a batch; the delta is empty when nothing that istiod reads has changed. */
  apply(changes: readonly ObjectChange[]): MeshDelta;
  setMeshConfig(mesh: MeshConfig): MeshDelta;
  /** The keys of token issuers, by the URI that they were fetched from. */
  setJwks(keys: ReadonlyMap<string, string>): MeshDelta;
}

/** Kinds that istiod reads, and the parts of the state they feed. */
const FEEDS: Readonly<Record<string, readonly Part[]>> = {
  Service: ["services", "endpoints"],
  ServiceEntry: ["services", "endpoints"],
  EndpointSlice: ["endpoints"],
  Pod: ["workloads", "endpoints"],
  WorkloadEntry: ["workloads", "endpoints"],
  Node: ["workloads", "endpoints"],
  VirtualService: ["virtualServices"],
  DestinationRule: ["destinationRules"],
  Gateway: ["gateways"],
  Sidecar: ["sidecars"],
  PeerAuthentication: ["peerAuthentications"],
  AuthorizationPolicy: ["authorizationPolicies"],
  RequestAuthentication: ["requestAuthentications"],
  Secret: ["secrets"],
};

export const WATCHED_KINDS: readonly string[] = Object.keys(FEEDS);

const NO_PARTS: ReadonlySet<Part> = new Set();

export function createMeshCollections(mesh: MeshConfig = decodeMeshConfig({})): MeshCollections {
  const objects = new Map<string, Map<string, KubeObject>>(WATCHED_KINDS.map((kind) => [kind, new Map()]));
  const decoded = new WeakMap<KubeObject, Config<unknown>>();
  let current = emptyState(mesh);

  const tableOf = (kind: string) => objects.get(kind) ?? new Map<string, KubeObject>();
  const list = <T extends KubeObject>(kind: string) => [...tableOf(kind).values()] as unknown as readonly T[];
  const configs = <S>(kind: string): Config<S>[] =>
    list(kind).map((object) => {
      const held = decoded.get(object) ?? decodeConfig<unknown>(object);
      decoded.set(object, held);
      return held as Config<S>;
    });

  const rebuild = (dirty: ReadonlySet<Part>, touchedServices: ReadonlySet<string> | "all"): MeshDelta => {
    const before = current;
    let next: MeshState = before;
    const parts = new Set<Part>();
    const put = (part: Part, value: Partial<MeshState>) => {
      const isSame = Object.entries(value).every(([field, now]) => isEqual(now, before[field as keyof MeshState]));
      if (isSame) return;
      parts.add(part);
      next = { ...next, ...value };
    };
    if (dirty.has("workloads")) {
      put("workloads", {
        workloads: indexWorkloads(list<Pod>("Pod"), configs<WorkloadEntrySpec>("WorkloadEntry")),
        // Only what is read of a node is kept: its heartbeats must not look like changes.
        localities: new Map(list<Node>("Node").map((node) => [node.metadata.name, localityOfNode(node)])),
      });
    }
    if (dirty.has("services") || dirty.has("mesh")) {
      const all = [
        ...list<Service>("Service").map((service) => serviceOfKubernetes(service, next.mesh.domain)),
        ...configs<ServiceEntrySpec>("ServiceEntry").flatMap(servicesOfEntry),
      ].sort((a, b) => compareText(a.hostname, b.hostname) || a.createdAt - b.createdAt || compareText(a.key, b.key));
      put("services", {
        services: all.filter((service) => service.aliasOf === undefined),
        aliases: indexAliases(all),
        serviceEntries: configs<ServiceEntrySpec>("ServiceEntry"),
      });
    }
    const endpointsOf = new Set<string>();
    if (dirty.has("endpoints") || parts.has("services") || parts.has("workloads")) {
      const all = parts.has("services") || parts.has("workloads") || touchedServices === "all";
      const endpoints = buildEndpoints(next, list<EndpointSlice>("EndpointSlice"), all ? "all" : touchedServices);
      for (const [key, value] of endpoints) if (!isEqual(value, before.endpoints.get(key))) endpointsOf.add(key);
      for (const key of before.endpoints.keys()) if (!endpoints.has(key)) endpointsOf.add(key);
      if (endpointsOf.size > 0) {
        parts.add("endpoints");
        next = { ...next, endpoints };
      }
    }
    if (dirty.has("virtualServices")) {
      const resolved = resolveVirtualServices(configs<VirtualServiceSpec>("VirtualService"), next.mesh.domain);
      put("virtualServices", { virtualServices: resolved });
    }
    if (dirty.has("destinationRules"))
      put("destinationRules", { destinationRules: configs<DestinationRuleSpec>("DestinationRule").sort(byAge) });
    if (dirty.has("gateways")) put("gateways", { gateways: configs<Gateway["spec"]>("Gateway").sort(byAge) });
    if (dirty.has("sidecars")) put("sidecars", { sidecars: configs<SidecarSpec>("Sidecar").sort(byAge) });
    if (dirty.has("peerAuthentications"))
      put("peerAuthentications", {
        peerAuthentications: configs<PeerAuthentication["spec"]>("PeerAuthentication").sort(byAge),
      });
    if (dirty.has("authorizationPolicies"))
      put("authorizationPolicies", {
        authorizationPolicies: configs<AuthorizationPolicySpec>("AuthorizationPolicy").sort(byAge),
      });
    if (dirty.has("requestAuthentications"))
      put("requestAuthentications", {
        requestAuthentications: configs<RequestAuthentication["spec"]>("RequestAuthentication").sort(byAge),
      });
    if (dirty.has("secrets")) put("secrets", { secrets: indexSecrets(list<Secret>("Secret")) });
    if (dirty.has("mesh")) parts.add("mesh");
    if (parts.size === 0) return { parts, endpointsOf };
    const versions = { ...before.versions };
    for (const part of parts) versions[part] += 1;
    current = { ...next, versions };
    return { parts, endpointsOf };
  };

  return {
    state: () => current,
    apply(changes) {
      const dirty = new Set<Part>();
      const touched = new Set<string>();
      let touchesAll = false;
      for (const { type, object } of changes) {
        const table = objects.get(object.kind);
        if (table === undefined) continue;
        const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
        const held = table.get(key);
        if (type === "delete") table.delete(key);
        else table.set(key, object);
        if (type === "delete" ? held === undefined : held === object) continue;
        for (const part of FEEDS[object.kind] ?? []) dirty.add(part);
        if (object.kind === "EndpointSlice") touched.add(sliceServiceKey(object, current.mesh.domain));
        // Pods and nodes reach endpoints only when the workloads they make have changed; rebuild() sees that.
        else if (object.kind === "Service" || object.kind === "ServiceEntry") touchesAll = true;
      }
      if (dirty.size === 0) return { parts: NO_PARTS, endpointsOf: new Set() };
      if (touched.size === 0 && !touchesAll) dirty.delete("endpoints");
      return rebuild(dirty, touchesAll ? "all" : touched);
    },
    setMeshConfig(next) {
      if (isEqual(next, current.mesh)) return { parts: NO_PARTS, endpointsOf: new Set() };
      current = { ...current, mesh: next };
      return rebuild(new Set<Part>(["mesh"]), "all");
    },
    setJwks(keys) {
      if (isEqual(keys, current.jwks)) return { parts: NO_PARTS, endpointsOf: new Set() };
      const versions = { ...current.versions, requestAuthentications: current.versions.requestAuthentications + 1 };
      current = { ...current, jwks: keys, versions };
      return { parts: new Set<Part>(["requestAuthentications"]), endpointsOf: new Set() };
    },
  };
}

function emptyState(mesh: MeshConfig): MeshState {
  return {
    versions: Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>,
    mesh,
    services: [],
    aliases: new Map(),
    endpoints: new Map(),
    workloads: new Map(),
    localities: new Map(),
    virtualServices: [],
    destinationRules: [],
    gateways: [],
    sidecars: [],
    serviceEntries: [],
    peerAuthentications: [],
    authorizationPolicies: [],
    requestAuthentications: [],
    jwks: new Map(),
    secrets: new Map(),
  };
}

function buildEndpoints(
  state: MeshState,
  slices: readonly EndpointSlice[],
  touched: ReadonlySet<string> | "all",
): ReadonlyMap<string, readonly MeshEndpoint[]> {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = sliceServiceKey(slice, state.mesh.domain);
    const held = byService.get(key);
    if (held === undefined) byService.set(key, [slice]);
    else held.push(slice);
  }
  const lookup = {
    byIp: (ip: string) => state.workloads.get(ip),
    inNamespace: (namespace: string) => [...state.workloads.values()].filter((w) => w.namespace === namespace),
    localityOf: (nodeName: string) => state.localities.get(nodeName) ?? {},
  };
  const out = new Map<string, readonly MeshEndpoint[]>();
  for (const service of state.services) {
    const held = state.endpoints.get(service.key);
    if (touched !== "all" && !touched.has(service.key) && held !== undefined) {
      out.set(service.key, held);
      continue;
    }
    const made =
      service.registry === "Kubernetes"
        ? endpointsOfSlices(service, byService.get(service.key) ?? [], lookup)
        : [...(out.get(service.key) ?? []), ...endpointsOfEntry(service, lookup)];
    out.set(service.key, held !== undefined && isEqual(made, held) ? held : made);
  }
  return out;
}

function sliceServiceKey(slice: KubeObject, domain: string): string {
  const namespace = slice.metadata.namespace ?? "default";
  return `${namespace}/${serviceNameOfSlice(slice as EndpointSlice) ?? ""}.${namespace}.svc.${domain}`;
}

function indexWorkloads(
  pods: readonly Pod[],
  entries: readonly Config<WorkloadEntrySpec>[],
): ReadonlyMap<string, Workload> {
  const found = [...pods.map(workloadOfPod), ...entries.map(workloadOfEntry)];
  return new Map(found.flatMap((workload) => (workload === undefined ? [] : [[workload.ip, workload] as const])));
}

function indexAliases(services: readonly MeshService[]): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const service of services) {
    if (service.aliasOf === undefined) continue;
    const held = out.get(service.aliasOf);
    if (held === undefined) out.set(service.aliasOf, [service.hostname]);
    else held.push(service.hostname);
  }
  return out;
}

function indexSecrets(secrets: readonly Secret[]): ReadonlyMap<string, TlsSecret> {
  return new Map(
    secrets.flatMap((secret) => {
      const found = tlsSecretOf(secret);
      return found === undefined ? [] : [[`${found.namespace}/${found.name}`, found] as const];
    }),
  );
}

/** Structural equality of plain values, Maps included. Shared references make the usual case cheap. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && isEqual(value, b.get(key)));
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  return keys.every((key) => key in right && isEqual(left[key], right[key]));
}
