/**
 * The ConfigSource that the ADS server asks: translation, remembered.
 * Three levels: a type whose inputs did not change is not translated again (dependencies.ts); what only depends on the scope is
 * translated once for all its proxies; equal content is one object (intern.ts). `affects` compares with what the proxy was last
 * given, so only proxies with a real difference are pushed to.
 */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from "@argyle/xds";
import type { MeshCollections, MeshDelta, ObjectChange } from "./collections.ts";
import { dependencyKey, ownKey, SERVED_TYPES, sharedKey } from "./dependencies.ts";
import { createResourceTable } from "./intern.ts";
import type { EnvoyMessage } from "./model/json.ts";
import type { MeshConfig } from "./model/mesh-config.ts";
import type { MeshState } from "./model/mesh-state.ts";
import type { ConfigChange, ConfigSource, ProxyNode, ResourceNames } from "./serve/config-source.ts";
import type { TranslateContext } from "./translate/context.ts";
import { isProxyless, proxylessCluster, proxylessListener, proxylessRoute } from "./translate/proxyless.ts";
import * as translate from "./translate/translate.ts";

export interface MeshConfigSource extends ConfigSource {
  apply(changes: readonly ObjectChange[]): MeshDelta;
  setMeshConfig(mesh: MeshConfig): MeshDelta;
  setJwks(keys: ReadonlyMap<string, string>): MeshDelta;
  state(): MeshState;
}

type Resources = ReadonlyMap<string, object>;

/** What is remembered for one proxy; goes with the node object. */
interface NodeMemory {
  readonly made: Map<string, { readonly key: string; readonly value: object | undefined }>;
  readonly joined: Map<string, { readonly ofScope: Resources; readonly own: Resources; readonly all: Resources }>;
  /** By type: what `resources` last answered; undefined for a name that did not exist. */
  readonly given: Map<string, Map<string, object | undefined>>;
}

const EMPTY: Resources = new Map();

export function createConfigSource(collections: MeshCollections): MeshConfigSource {
  const table = createResourceTable();
  const shared = new Map<string, { readonly key: string; readonly value: object | undefined }>();
  const memories = new WeakMap<ProxyNode, NodeMemory>();
  const listeners = new Set<(change: ConfigChange) => void>();

  const memoryOf = (node: ProxyNode): NodeMemory => {
    let memory = memories.get(node);
    if (memory === undefined) {
      memory = { made: new Map(), joined: new Map(), given: new Map() };
      memories.set(node, memory);
    }
    return memory;
  };

  const byName = (typeUrl: string, nameField: string, list: readonly EnvoyMessage[]): Resources =>
    new Map(list.map((resource) => [String(resource[nameField]), table.intern(typeUrl, resource)]));

  const clusters = (context: TranslateContext, node: ProxyNode): Resources => {
    const key = sharedKey(context.state, CLUSTER_TYPE);
    const outbound = remember<Resources>(shared, `cds|${viewKey(context)}`, key, (before) =>
      keepIfEqual(before, byName(CLUSTER_TYPE, "name", translate.sharedClusters(context))),
    );
    return ownAnd(node, "cds", outbound, ownKey(context.state, CLUSTER_TYPE, node), () =>
      byName(CLUSTER_TYPE, "name", translate.ownClusters(context)),
    );
  };

  const listenersOf = (context: TranslateContext, node: ProxyNode): Resources => {
    const { made } = memoryOf(node);
    const own = () => byName(LISTENER_TYPE, "name", translate.inboundListeners(context));
    const inboundKey = ownKey(context.state, LISTENER_TYPE, node);
    if (node.type === "router") return ownAnd(node, "lds", EMPTY, inboundKey, own);
    const key = sharedKey(context.state, LISTENER_TYPE);
    const store = usesSourceLabels(context.state) ? made : shared;
    const slot = `lds|${viewKey(context)}`;
    const drafts = remember(store, `drafts|${slot}`, key, () => translate.listenerDrafts(context));
    const ofScope = remember<Resources>(store, slot, key, (before) =>
      keepIfEqual(before, byName(LISTENER_TYPE, "name", translate.sharedListeners(context, drafts))),
    );
    const outbound = ownAnd(node, "lds-outbound", ofScope, key, () =>
      byName(LISTENER_TYPE, "name", translate.ownListeners(context, drafts)),
    );
    return ownAnd(node, "lds", outbound, inboundKey, own);
  };

  /** What is shared with what is this proxy's own: the same Map while neither has changed. */
  const ownAnd = (node: ProxyNode, slot: string, ofScope: Resources, key: string, make: () => Resources): Resources => {
    const { made, joined } = memoryOf(node);
    const own = remember<Resources>(made, `${slot}|own`, key, (before) => keepIfEqual(before, make()));
    const held = joined.get(slot);
    if (held !== undefined && held.ofScope === ofScope && held.own === own) return held.all;
    const all = own.size === 0 ? ofScope : new Map([...ofScope, ...own]);
    joined.set(slot, { ofScope, own, all });
    return all;
  };

  const routeOf = (context: TranslateContext, node: ProxyNode, name: string): object | undefined => {
    const make = () => internOptional(ROUTE_TYPE, translate.routeConfiguration(context, name));
    // A gateway's routes depend on which servers it carries: its own business.
    if (node.type === "router" || usesSourceLabels(context.state))
      return remember(memoryOf(node).made, `rds|${name}`, ownKey(context.state, ROUTE_TYPE, node), make);
    return remember(shared, `rds|${viewKey(context)}|${name}`, sharedKey(context.state, ROUTE_TYPE), make);
  };

  const endpointsOf = (context: TranslateContext, name: string): object | undefined =>
    remember(shared, `eds|${viewKey(context)}|${name}`, dependencyKey(context.state, ENDPOINT_TYPE), () =>
      internOptional(ENDPOINT_TYPE, translate.endpoints(context, name)),
    );

  const internOptional = (typeUrl: string, resource: EnvoyMessage | undefined) =>
    resource === undefined ? undefined : table.intern(typeUrl, resource);

  /** A gRPC client asks for everything by name; "*" is the proxies' word. */
  const computeProxyless = (context: TranslateContext, node: ProxyNode, typeUrl: string, name: string) => {
    const slot = `${typeUrl}|${name}`;
    const own = (make: () => EnvoyMessage | undefined) =>
      remember(memoryOf(node).made, slot, dependencyKey(context.state, typeUrl), () => internOptional(typeUrl, make()));
    switch (typeUrl) {
      case LISTENER_TYPE:
        return own(() => proxylessListener(context, name));
      case ROUTE_TYPE:
        return own(() => proxylessRoute(context, name));
      case CLUSTER_TYPE: {
        const cluster = clusters(context, node).get(name);
        return cluster === undefined ? undefined : own(() => proxylessCluster(cluster as EnvoyMessage));
      }
      default:
        return typeUrl === ENDPOINT_TYPE ? endpointsOf(context, name) : undefined;
    }
  };

  const compute = (node: ProxyNode, typeUrl: string, names: ResourceNames): Resources => {
    const context = translate.contextOf(collections.state(), node);
    if (isProxyless(node)) {
      return pick(names === "*" ? [] : names, (name) => computeProxyless(context, node, typeUrl, name));
    }
    switch (typeUrl) {
      case CLUSTER_TYPE:
        return select(clusters(context, node), names);
      case LISTENER_TYPE:
        return select(listenersOf(context, node), names);
      case ROUTE_TYPE:
        return pick(names === "*" ? translate.routeNames(context) : names, (name) => routeOf(context, node, name));
      case ENDPOINT_TYPE:
        return pick(names === "*" ? edsNames(clusters(context, node)) : names, (name) => endpointsOf(context, name));
      case SECRET_TYPE:
        return pick(names === "*" ? [] : names, (name) => internOptional(SECRET_TYPE, translate.secret(context, name)));
      default:
        return EMPTY;
    }
  };

  const affects = (node: ProxyNode, typeUrl: string): boolean => {
    const given = memories.get(node)?.given.get(typeUrl);
    if (given === undefined) return memories.get(node) === undefined;
    const isWhole = !isProxyless(node) && (typeUrl === CLUSTER_TYPE || typeUrl === LISTENER_TYPE);
    const now = compute(node, typeUrl, isWhole ? "*" : new Set(given.keys()));
    if (isWhole && now.size !== given.size) return true;
    for (const [name, before] of given) if (now.get(name) !== before) return true;
    return false;
  };

  const publish = (before: MeshState, delta: MeshDelta): MeshDelta => {
    if (delta.parts.size === 0) return delta;
    const after = collections.state();
    const typeUrls = new Set(
      SERVED_TYPES.filter((typeUrl) => dependencyKey(before, typeUrl) !== dependencyKey(after, typeUrl)),
    );
    if (typeUrls.size === 0) return delta;
    const change: ConfigChange = {
      typeUrls,
      affects: (node) => [...typeUrls].some((typeUrl) => affects(node, typeUrl)),
    };
    for (const listener of listeners) listener(change);
    return delta;
  };

  return {
    state: collections.state,
    apply(changes) {
      const before = collections.state();
      return publish(before, collections.apply(changes));
    },
    setMeshConfig(mesh) {
      const before = collections.state();
      return publish(before, collections.setMeshConfig(mesh));
    },
    setJwks(keys) {
      const before = collections.state();
      return publish(before, collections.setJwks(keys));
    },
    resources(node, typeUrl, names) {
      const found = compute(node, typeUrl, names);
      const memory = memoryOf(node);
      if (names === "*") memory.given.set(typeUrl, new Map(found));
      else {
        const given = memory.given.get(typeUrl) ?? new Map<string, object | undefined>();
        for (const name of names) given.set(name, found.get(name));
        memory.given.set(typeUrl, given);
      }
      return found;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Everything but the state that shared resources depend on. */
function viewKey({ node, scope }: TranslateContext): string {
  return `${scope.key}|${[...node.filters].sort().join(",")}`;
}

function remember<T extends object | undefined>(
  store: Map<string, { readonly key: string; readonly value: object | undefined }>,
  slot: string,
  key: string,
  make: (before: T | undefined) => T,
): T {
  const held = store.get(slot);
  if (held !== undefined && held.key === key) return held.value as T;
  const value = make(held?.value as T | undefined);
  store.set(slot, { key, value });
  return value;
}

function keepIfEqual(before: Resources | undefined, now: Resources): Resources {
  if (before === undefined || before.size !== now.size) return now;
  for (const [name, object] of now) if (before.get(name) !== object) return now;
  return before;
}

function select(all: Resources, names: ResourceNames): Resources {
  return names === "*" ? all : pick(names, (name) => all.get(name));
}

function pick(names: Iterable<string>, find: (name: string) => object | undefined): Resources {
  const out = new Map<string, object>();
  for (const name of names) {
    const found = find(name);
    if (found !== undefined) out.set(name, found);
  }
  return out;
}

function edsNames(clusters: Resources): readonly string[] {
  return [...clusters].flatMap(([name, cluster]) => ("type" in cluster && cluster.type === "EDS" ? [name] : []));
}

const sourceLabelUse = new WeakMap<object, boolean>();

function usesSourceLabels(state: MeshState): boolean {
  let uses = sourceLabelUse.get(state.virtualServices);
  if (uses === undefined) {
    uses = state.virtualServices.some(({ spec: { http = [], tcp = [], tls = [] } }) =>
      [...http, ...tcp, ...tls].some((route) => (route.match ?? []).some((match) => match.sourceLabels !== undefined)),
    );
    sourceLabelUse.set(state.virtualServices, uses);
  }
  return uses;
}
