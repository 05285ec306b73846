/**
 * What one proxy may see: services, VirtualServices and rules, narrowed by exportTo and by its Sidecar resource.
 * Which Sidecar: the oldest of the namespace whose workloadSelector matches, else the namespace's without selector, else the root
 * namespace's. Scopes are shared by proxies with equal views (same `key`), and so is what is translated from them.
 * Spec: istio.io reference, Sidecar.
 */
import type { SidecarSpec } from "@argyle/kube-types";
import { concreteHost } from "./alias.ts";
import { byAge, type Config, selects } from "./config.ts";
import { indexDestinationRules, type MergedRule, type RuleIndex } from "./destination-rule.ts";
import { hostCovers, hostsOverlap } from "./host.ts";
import type { MeshState } from "./mesh-state.ts";
import { isExportedTo, type MeshService } from "./service.ts";
import { MESH_GATEWAY, type VirtualServiceConfig } from "./virtual-service.ts";

export interface ProxyScope {
  /** Equal keys within one state mean equal scopes. */
  readonly key: string;
  readonly namespace: string;
  readonly sidecar: Config<SidecarSpec> | undefined;
  /** One per hostname. */
  readonly services: readonly MeshService[];
  readonly servicesByHost: ReadonlyMap<string, MeshService>;
  /** Those that apply to sidecars (gateway `mesh`), oldest first. */
  readonly virtualServices: readonly VirtualServiceConfig[];
  readonly outboundTrafficMode: "ALLOW_ANY" | "REGISTRY_ONLY";
  ruleFor(service: Pick<MeshService, "hostname" | "namespace">): MergedRule | undefined;
}

export interface ScopeOwner {
  readonly type: "sidecar" | "router";
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const scopes = new WeakMap<MeshState, Map<string, ProxyScope>>();
const indexes = new WeakMap<MeshState["destinationRules"], RuleIndex>();

export function scopeOf(state: MeshState, owner: ScopeOwner): ProxyScope {
  const sidecar = owner.type === "sidecar" ? sidecarFor(state, owner) : undefined;
  const hasSelectedRules = state.destinationRules.some((rule) => rule.spec.workloadSelector !== undefined);
  const labelKey = hasSelectedRules ? JSON.stringify(owner.labels) : "";
  const key = `${owner.type}|${owner.namespace}|${sidecar === undefined ? "" : `${sidecar.namespace}/${sidecar.name}`}|${labelKey}`;
  let known = scopes.get(state);
  if (known === undefined) {
    known = new Map();
    scopes.set(state, known);
  }
  let scope = known.get(key);
  if (scope === undefined) {
    scope = buildScope(state, owner, sidecar, key);
    known.set(key, scope);
  }
  return scope;
}

export function sidecarFor(
  state: MeshState,
  owner: Pick<ScopeOwner, "namespace" | "labels">,
): Config<SidecarSpec> | undefined {
  const own = state.sidecars.filter((sidecar) => sidecar.namespace === owner.namespace).sort(byAge);
  const hasSelector = (sidecar: Config<SidecarSpec>) =>
    Object.keys(sidecar.spec.workloadSelector?.labels ?? {}).length > 0;
  return (
    own.find((sidecar) => hasSelector(sidecar) && selects(sidecar.spec.workloadSelector?.labels, owner.labels)) ??
    own.find((sidecar) => !hasSelector(sidecar)) ??
    state.sidecars
      .filter((sidecar) => sidecar.namespace === state.mesh.rootNamespace && !hasSelector(sidecar))
      .sort(byAge)[0]
  );
}

function buildScope(
  state: MeshState,
  owner: ScopeOwner,
  sidecar: Config<SidecarSpec> | undefined,
  key: string,
): ProxyScope {
  const { namespace } = owner;
  const egress = sidecar?.spec.egress;
  const imports = egress === undefined || egress.length === 0 ? undefined : egress.flatMap((e) => e.hosts ?? []);
  const isImported = (own: string, host: string, overlaps: (pattern: string, name: string) => boolean) =>
    imports === undefined || imports.some((entry) => importCovers(entry, own, host, namespace, overlaps));

  const servicesByHost = new Map<string, MeshService>();
  for (const service of state.services) {
    if (!isExportedTo(service.exportTo, service.namespace, namespace)) continue;
    if (!isImported(service.namespace, service.hostname, hostCovers)) continue;
    const held = servicesByHost.get(service.hostname);
    if (held === undefined) servicesByHost.set(service.hostname, service);
    // Entries of one host in one namespace add up: ports of a later one are reachable as well.
    else if (held.namespace === service.namespace) servicesByHost.set(service.hostname, mergePorts(held, service));
    else if (service.namespace === namespace) servicesByHost.set(service.hostname, service);
  }
  const virtualServices = state.virtualServices.filter(
    (vs) =>
      vs.gateways.includes(MESH_GATEWAY) &&
      isExportedTo(vs.exportTo, vs.namespace, namespace) &&
      vs.hosts.some((host) => isImported(vs.namespace, host, hostsOverlap)),
  );
  // What an imported VirtualService routes to must be reachable, whether or not it is imported itself.
  if (imports !== undefined) {
    for (const named of virtualServices.flatMap(destinationHosts)) {
      const host = concreteHost(state, named);
      if (servicesByHost.has(host)) continue;
      const target = state.services.find(
        (service) => service.hostname === host && isExportedTo(service.exportTo, service.namespace, namespace),
      );
      if (target !== undefined) servicesByHost.set(host, target);
    }
  }
  let rules = indexes.get(state.destinationRules);
  if (rules === undefined) {
    rules = indexDestinationRules(state.destinationRules, state.mesh.rootNamespace, state.mesh.domain);
    indexes.set(state.destinationRules, rules);
  }
  const index = rules;
  const found = new Map<string, MergedRule | undefined>();
  return {
    key,
    namespace,
    sidecar,
    services: [...servicesByHost.values()],
    servicesByHost,
    virtualServices,
    outboundTrafficMode:
      sidecar?.spec.outboundTrafficPolicy === undefined
        ? state.mesh.outboundTrafficMode
        : sidecar.spec.outboundTrafficPolicy.mode === "ALLOW_ANY"
          ? "ALLOW_ANY"
          : "REGISTRY_ONLY",
    ruleFor(service) {
      const id = `${service.namespace}/${service.hostname}`;
      if (!found.has(id)) found.set(id, index.find(service, namespace, owner.labels));
      return found.get(id);
    },
  };
}

/** `namespace/host`, with `*`, `.` and `~` for the namespace. */
function importCovers(
  entry: string,
  own: string,
  host: string,
  clientNamespace: string,
  overlaps: (pattern: string, name: string) => boolean,
): boolean {
  const slash = entry.indexOf("/");
  const namespace = slash === -1 ? "*" : entry.slice(0, slash);
  const pattern = entry.slice(slash + 1);
  if (namespace === "~") return false;
  if (namespace !== "*" && own !== (namespace === "." ? clientNamespace : namespace)) return false;
  return overlaps(pattern, host);
}

function destinationHosts(vs: VirtualServiceConfig): readonly string[] {
  const { http = [], tcp = [], tls = [] } = vs.spec;
  return [
    ...http.flatMap((route) => [
      ...(route.route ?? []).map((entry) => entry.destination.host),
      ...(route.mirror === undefined ? [] : [route.mirror.host]),
      ...(route.mirrors ?? []).map((mirror) => mirror.destination.host),
    ]),
    ...tcp.flatMap((route) => (route.route ?? []).map((entry) => entry.destination.host)),
    ...tls.flatMap((route) => (route.route ?? []).map((entry) => entry.destination.host)),
  ];
}

function mergePorts(first: MeshService, second: MeshService): MeshService {
  const added = second.ports.filter((port) => !first.ports.some((held) => held.port === port.port));
  if (added.length === 0) return first;
  const addresses = [...new Set([...first.addresses, ...second.addresses])];
  return { ...first, ports: [...first.ports, ...added], addresses };
}
