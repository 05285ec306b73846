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
import { Fields } from "./config/fields.ts";
import { compileListener, type ListenerConfig } from "./config/listener-config.ts";
import { compileRouteTable, type RouteTable } from "./config/route-config.ts";
import { compileSecretResource } from "./config/secret-config.ts";
import type { TransportSocketConfig } from "./config/tls-config.ts";
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
    compile: (fields: Fields) => T,
    use: (entry: VersionedResource<T>) => void,
  ): readonly RejectedResource[] => {
    const errors: RejectedResource[] = [];
    for (const { name, version, resource } of upserts) {
      const problems: Problem[] = [];
      const value = compile(new Fields(resource, "", { problems }));
      if (problems.length > 0) errors.push(rejected(name, problems));
      else use({ name, version, updatedAtMs: deps.clock.now(), raw: resource, value });
    }
    return errors;
  };

  const useCluster = (entry: VersionedResource<ClusterConfig>) => {
    const previous = warmingClusters.get(entry.name) ?? clusters.get(entry.name);
    // The same content again changes nothing: connections and counters stay.
    if (previous !== undefined && JSON.stringify(previous.config.raw) === JSON.stringify(entry.raw)) return;
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
        errors = compileAll(upserts, compileListener, (entry) => {
          const known = listeners.get(entry.name);
          if (known !== undefined && JSON.stringify(known.raw) === JSON.stringify(entry.raw))
            warmingListeners.delete(entry.name);
          else warmingListeners.set(entry.name, entry);
        });
        for (const name of removals) {
          warmingListeners.delete(name);
          listeners.delete(name);
        }
        break;
      case TYPE_URL.cluster:
        errors = compileAll(upserts, compileCluster, useCluster);
        for (const name of removals) {
          for (const map of [warmingClusters, clusters]) {
            map.get(name)?.close();
            map.delete(name);
          }
          clusterTimes.delete(name);
        }
        break;
      case TYPE_URL.route:
        errors = compileAll(upserts, compileRouteTable, (entry) => routes.set(entry.name, entry));
        for (const name of removals) routes.delete(name);
        break;
      case TYPE_URL.endpoint:
        errors = compileAll(upserts, compileLoadAssignment, (entry) => {
          endpoints.set(entry.name, entry);
          for (const cluster of [...clusters.values(), ...warmingClusters.values()]) {
            if (cluster.config.type === "EDS" && cluster.config.edsName === entry.name)
              cluster.setEndpoints(entry.value.endpoints);
          }
        });
        for (const name of removals) endpoints.delete(name);
        break;
      case TYPE_URL.secret:
        errors = compileAll(upserts, compileSecretResource, (entry) => {
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
    }
    let changed = false;
    for (const [name, entry] of [...warmingListeners]) {
      if (!isListenerReady(entry.value)) continue;
      warmingListeners.delete(name);
      listeners.set(name, entry);
      changed = true;
    }
    snapshot = {
      clusters: new Map(clusters),
      routes: new Map([...routes].map(([name, entry]) => [name, entry.value])),
    };
    const hasBoth = received.has(TYPE_URL.listener) && received.has(TYPE_URL.cluster);
    if (hasBoth && warmingClusters.size === 0 && warmingListeners.size === 0) isReady = true;
    if (changed || knownListeners !== listeners.size) {
      knownListeners = listeners.size;
      for (const listener of changeListeners) listener();
    }
    publishWanted();
  };
  let knownListeners = 0;

  const isListenerReady = (listener: ListenerConfig) => {
    for (const name of routeNames(listener)) if (!routes.has(name)) return false;
    return tlsOf(listener).every((socket) => socket.kind === "raw" || secrets.isSettled(socket.tls));
  };

  const publishWanted = () => {
    const everyListener = [...listeners.values(), ...warmingListeners.values()].map((entry) => entry.value);
    const everyCluster = [...clusters.values(), ...warmingClusters.values()].map((cluster) => cluster.config);
    const next = new Map<string, ReadonlySet<string>>([
      [TYPE_URL.route, new Set(everyListener.flatMap(routeNames))],
      [TYPE_URL.endpoint, new Set(everyCluster.flatMap((config) => (config.type === "EDS" ? [config.edsName] : [])))],
      [
        TYPE_URL.secret,
        new Set([
          ...everyListener.flatMap(tlsOf).flatMap(secretNames),
          ...everyCluster
            .flatMap((config) => [config.transport, ...config.transportMatches.map((match) => match.transport)])
            .flatMap(secretNames),
        ]),
      ],
    ]);
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

function chainsOf(listener: ListenerConfig) {
  return listener.defaultChain === undefined ? listener.chains : [...listener.chains, listener.defaultChain];
}

function routeNames(listener: ListenerConfig): readonly string[] {
  return chainsOf(listener).flatMap(({ filter }) =>
    filter?.kind === "http" && filter.routes.kind === "rds" ? [filter.routes.name] : [],
  );
}

function tlsOf(listener: ListenerConfig): readonly TransportSocketConfig[] {
  return chainsOf(listener).map((chain) => chain.transport);
}

function secretNames(socket: TransportSocketConfig): readonly string[] {
  if (socket.kind === "raw") return [];
  return [socket.tls.certificate, socket.tls.validation].flatMap((ref) => (ref?.kind === "sds" ? [ref.name] : []));
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string> | undefined): boolean {
  if (b === undefined) return a.size === 0;
  return a.size === b.size && [...a].every((name) => b.has(name));
}
