/**
 * The configuration in force. Resources come in through apply(): the good ones are compiled, warm until what they refer to is there (EDS, RDS, SDS),
 * and then become part of the next immutable snapshot. Requests keep the snapshot that they started with.
 * Warming: https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/operations/init
 *   cluster   warming until its endpoints and secrets are there; the version in force stays until then
 *   listener  warming until its routes and secrets are there
 * A secret that does not exist is not waited for: connections that need it fail, the others are served.
 */
import { describeError, formatProblems, type Problem } from "@argyle/core";
import {
  type ClusterConfig,
  compileCluster,
  compileLoadAssignment,
  type LoadAssignment,
} from "./config/cluster-config.ts";
import { type Compiled, compileOnce } from "./config/compile-once.ts";
import { compileListener, type ListenerConfig } from "./config/listener-config.ts";
import {
  type NamedResources,
  namedByCluster,
  namedByListener,
  routeNames,
  socketsOfListener,
} from "./config/named-resources.ts";
import { compileRouteTable, type RouteTable } from "./config/route-config.ts";
import { compileSecretResource } from "./config/secret-config.ts";
import type { Snapshot } from "./http/http-context.ts";
import type { ProxyDeps } from "./proxy-deps.ts";
import { type RejectedResource, type ResourceSink, type ResourceUpsert, TYPE_URL } from "./resource-sink.ts";
import { createSecretStore, type SecretStore } from "./tls/secret-store.ts";
import { Cluster, type ClusterDeps } from "./upstream/cluster.ts";

export interface VersionedResource<T> {
  readonly name: string;
  readonly version: string;
  readonly updatedAtMs: number;
  readonly raw: object;
  readonly value: T;
}

export interface Runtime extends ResourceSink {
  readonly snapshot: () => Snapshot;
  readonly listeners: ReadonlyMap<string, VersionedResource<ListenerConfig>>;
  readonly warmingListeners: ReadonlyMap<string, VersionedResource<ListenerConfig>>;
  readonly warmingClusters: ReadonlyMap<string, Cluster>;
  readonly clusterTimes: ReadonlyMap<string, number>;
  readonly routeResources: ReadonlyMap<string, VersionedResource<RouteTable>>;
  readonly endpointResources: ReadonlyMap<string, VersionedResource<LoadAssignment>>;
  readonly secrets: SecretStore;
  /** True once listeners and clusters arrived and nothing of the first set is warming any more. */
  readonly isReady: boolean;
  /** Told after each change of the set of listeners in force. */
  onListenersChange(listener: () => void): void;
  close(): void;
}

const compile = {
  listener: compileOnce(compileListener),
  cluster: compileOnce(compileCluster),
  route: compileOnce(compileRouteTable),
  endpoints: compileOnce(compileLoadAssignment),
  secret: compileOnce(compileSecretResource),
} as const;

export function createRuntime(deps: ProxyDeps): Runtime {
  const secrets = createSecretStore();
  const listeners = new Map<string, VersionedResource<ListenerConfig>>();
  const warmingListeners = new Map<string, VersionedResource<ListenerConfig>>();
  const clusters = new Map<string, Cluster>();
  const warmingClusters = new Map<string, Cluster>();
  const clusterTimes = new Map<string, number>();
  const routes = new Map<string, VersionedResource<RouteTable>>();
  const endpoints = new Map<string, VersionedResource<LoadAssignment>>();
  const wantedListeners: ((typeUrl: string) => void)[] = [];
  const changeListeners: (() => void)[] = [];
  const received = new Set<string>();
  const wanted = new Map<string, ReadonlySet<string>>();
  let snapshot: Snapshot = { clusters: new Map(), routes: new Map() };
  let isReady = false;
  let areClustersStale = false;
  let areRoutesStale = false;
  let isWantedStale = true;
  deps.registry.onRead(() => {
    for (const cluster of [...clusters.values(), ...warmingClusters.values()]) void cluster.stats;
  });

  const clusterDeps: ClusterDeps = {
    clock: deps.clock,
    registry: deps.registry,
    wheel: deps.wheel,
    dialer: deps.dialer,
    secrets,
    random: deps.random,
    resolveName: deps.resolveName,
    onDnsFailure: (cluster, name, error) =>
      deps.log.warn("DNS resolution failed; trying again", { cluster, name, error: describeError(error) }),
    onWarm: () => settle(),
  };

  const rejected = (name: string, problems: readonly Problem[]): RejectedResource => ({
    name,
    message: formatProblems(problems),
  });

  /** Compiles each resource; `use` is called for the good ones. */
  const compileAll = <T>(
    upserts: readonly ResourceUpsert[],
    compiled: (resource: object) => Compiled<T>,
    use: (entry: VersionedResource<T>) => void,
  ): readonly RejectedResource[] => {
    const errors: RejectedResource[] = [];
    for (const { name, version, resource } of upserts) {
      const { value, problems } = compiled(resource);
      if (problems.length > 0) errors.push(rejected(name, problems));
      else use({ name, version, updatedAtMs: deps.clock.now(), raw: resource, value });
    }
    return errors;
  };

  const useCluster = (entry: VersionedResource<ClusterConfig>) => {
    const previous = warmingClusters.get(entry.name) ?? clusters.get(entry.name);
    // The same content again changes nothing: connections and counters stay.
    if (previous !== undefined && isSameContent(previous.config.raw, entry.raw)) return;
    areClustersStale = true;
    warmingClusters.get(entry.name)?.close();
    const cluster = new Cluster(entry.value, entry.version, clusterDeps);
    const known = endpoints.get(entry.value.edsName);
    if (entry.value.type === "EDS" && known !== undefined) cluster.setEndpoints(known.value.endpoints);
    clusterTimes.set(entry.name, entry.updatedAtMs);
    warmingClusters.set(entry.name, cluster);
  };

  const apply: ResourceSink["apply"] = (typeUrl, upserts, removals) => {
    let errors: readonly RejectedResource[] = [];
    received.add(typeUrl);
    switch (typeUrl) {
      case TYPE_URL.listener:
        errors = compileAll(upserts, compile.listener, (entry) => {
          const known = listeners.get(entry.name);
          if (known !== undefined && isSameContent(known.raw, entry.raw)) warmingListeners.delete(entry.name);
          else warmingListeners.set(entry.name, entry);
        });
        isWantedStale = true;
        for (const name of removals) {
          warmingListeners.delete(name);
          listeners.delete(name);
        }
        break;
      case TYPE_URL.cluster:
        errors = compileAll(upserts, compile.cluster, useCluster);
        for (const name of removals) {
          for (const map of [warmingClusters, clusters]) {
            map.get(name)?.close();
            map.delete(name);
          }
          clusterTimes.delete(name);
          areClustersStale = true;
        }
        break;
      case TYPE_URL.route:
        errors = compileAll(upserts, compile.route, (entry) => {
          routes.set(entry.name, entry);
          isWantedStale ||= wanted.get(typeUrl)?.has(entry.name) !== true;
        });
        for (const name of removals) routes.delete(name);
        areRoutesStale = true;
        break;
      case TYPE_URL.endpoint:
        errors = compileAll(upserts, compile.endpoints, (entry) => {
          endpoints.set(entry.name, entry);
          isWantedStale ||= wanted.get(typeUrl)?.has(entry.name) !== true;
          for (const cluster of [...clusters.values(), ...warmingClusters.values()]) {
            if (cluster.config.type === "EDS" && cluster.config.edsName === entry.name)
              cluster.setEndpoints(entry.value.endpoints);
          }
        });
        for (const name of removals) endpoints.delete(name);
        break;
      case TYPE_URL.secret:
        errors = compileAll(upserts, compile.secret, (entry) => {
          secrets.set({
            name: entry.name,
            version: entry.version,
            config: entry.value,
            receivedAtMs: entry.updatedAtMs,
          });
        });
        for (const name of removals) secrets.markAbsent(name);
        break;
      default:
        return upserts.map(({ name }) => ({ name, message: `unsupported resource type ${typeUrl}` }));
    }
    settle();
    return errors;
  };

  /** Activates what is warm, publishes a snapshot, and tells who follows names. */
  const settle = () => {
    for (const [name, cluster] of [...warmingClusters]) {
      if (!cluster.isReady) continue;
      warmingClusters.delete(name);
      const old = clusters.get(name);
      clusters.set(name, cluster);
      old?.close();
      areClustersStale = true;
    }
    let changed = false;
    for (const [name, entry] of [...warmingListeners]) {
      if (!isListenerReady(entry.value)) continue;
      warmingListeners.delete(name);
      listeners.set(name, entry);
      changed = true;
    }
    const hasBoth = received.has(TYPE_URL.listener) && received.has(TYPE_URL.cluster);
    if (hasBoth && warmingClusters.size === 0 && warmingListeners.size === 0) isReady = true;
    publishSnapshot();
    if (changed || knownListeners !== listeners.size) {
      knownListeners = listeners.size;
      isWantedStale = true;
      for (const listener of changeListeners) listener();
    }
    publishWanted();
  };
  let knownListeners = 0;

  /** A response that changed neither keeps the snapshot: most only bring endpoints. */
  const publishSnapshot = () => {
    if (areClustersStale || areRoutesStale) {
      snapshot = {
        clusters: areClustersStale ? new Map(clusters) : snapshot.clusters,
        routes: areRoutesStale ? new Map([...routes].map(([name, entry]) => [name, entry.value])) : snapshot.routes,
      };
    }
    isWantedStale ||= areClustersStale;
    areClustersStale = false;
    areRoutesStale = false;
  };

  const isListenerReady = (listener: ListenerConfig) => {
    for (const name of routeNames(listener)) if (!routes.has(name)) return false;
    return socketsOfListener(listener).every((socket) => socket.kind === "raw" || secrets.isSettled(socket.tls));
  };

  /** Follows from listeners and clusters alone. */
  const publishWanted = () => {
    if (!isWantedStale) return;
    isWantedStale = false;
    const next = new Map<string, Set<string>>([
      [TYPE_URL.route, new Set()],
      [TYPE_URL.endpoint, new Set()],
      [TYPE_URL.secret, new Set()],
    ]);
    const want = (named: NamedResources) => {
      for (const [typeUrl, names] of named) for (const name of names) next.get(typeUrl)?.add(name);
    };
    for (const entries of [listeners, warmingListeners])
      for (const { value } of entries.values()) want(namedByListener(value));
    for (const entries of [clusters, warmingClusters])
      for (const { config } of entries.values()) want(namedByCluster(config));
    const changed = [...next].filter(([typeUrl, names]) => !sameNames(names, wanted.get(typeUrl)));
    for (const [typeUrl, names] of changed) wanted.set(typeUrl, names);
    for (const name of [...routes.keys()]) if (next.get(TYPE_URL.route)?.has(name) !== true) routes.delete(name);
    for (const name of [...endpoints.keys()])
      if (next.get(TYPE_URL.endpoint)?.has(name) !== true) endpoints.delete(name);
    for (const [typeUrl] of changed) for (const listener of wantedListeners) listener(typeUrl);
  };

  return {
    apply,
    wanted: (typeUrl) =>
      typeUrl === TYPE_URL.listener || typeUrl === TYPE_URL.cluster ? "*" : (wanted.get(typeUrl) ?? new Set<string>()),
    onWantedChange: (listener) => void wantedListeners.push(listener),
    onListenersChange: (listener) => void changeListeners.push(listener),
    snapshot: () => snapshot,
    listeners,
    warmingListeners,
    warmingClusters,
    clusterTimes,
    routeResources: routes,
    endpointResources: endpoints,
    secrets,
    get isReady() {
      return isReady;
    },
    close() {
      for (const cluster of [...clusters.values(), ...warmingClusters.values()]) cluster.close();
    },
  };
}

/** The ADS client gives the same object for the same content; what comes from elsewhere is compared. */
function isSameContent(a: object, b: object): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string> | undefined): boolean {
  if (b === undefined) return a.size === 0;
  return a.size === b.size && [...a].every((name) => b.has(name));
}
