/**
 * What a listener or a cluster refers to by name and the proxy therefore subscribes to: routes, endpoints, secrets. Found once for each compiled object,
 * which every sidecar of a worker shares.
 */
import { TYPE_URL } from "../resource-sink.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import type { ListenerConfig } from "./listener-config.ts";
import { oncePerObject } from "./once-per-object.ts";
import type { TransportSocketConfig } from "./tls-config.ts";

/** Names by type. */
export type NamedResources = readonly (readonly [typeUrl: string, names: readonly string[]])[];

export const namedByListener = oncePerObject((listener: ListenerConfig): NamedResources => {
  const sockets = socketsOfListener(listener);
  return [
    [TYPE_URL.route, routeNames(listener)],
    [TYPE_URL.secret, unique(sockets.flatMap(secretNames))],
  ];
});

export const namedByCluster = oncePerObject((cluster: ClusterConfig): NamedResources => {
  const sockets = [cluster.transport, ...cluster.transportMatches.map((match) => match.transport)];
  return [
    [TYPE_URL.endpoint, cluster.type === "EDS" ? [cluster.edsName] : []],
    [TYPE_URL.secret, unique(sockets.flatMap(secretNames))],
  ];
});

export function routeNames(listener: ListenerConfig): readonly string[] {
  const names = chainsOf(listener).flatMap(({ filter }) =>
    filter?.kind === "http" && filter.routes.kind === "rds" ? [filter.routes.name] : [],
  );
  return unique(names);
}

export function socketsOfListener(listener: ListenerConfig): readonly TransportSocketConfig[] {
  return chainsOf(listener).map((chain) => chain.transport);
}

function chainsOf(listener: ListenerConfig) {
  return listener.defaultChain === undefined ? listener.chains : [...listener.chains, listener.defaultChain];
}

function secretNames(socket: TransportSocketConfig): readonly string[] {
  if (socket.kind === "raw") return [];
  return [socket.tls.certificate, socket.tls.validation].flatMap((ref) => (ref?.kind === "sds" ? [ref.name] : []));
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
