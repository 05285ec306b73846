/**
 * The listeners in force and which of them takes a connection, by its original destination. A changed listener takes new connections at once;
 * the replaced one drains. Bound addresses are told to the rim (onBindings), which opens and closes the real sockets.
 */
import type { ListenerConfig } from "./config/listener-config.ts";
import { type AcceptedConnection, type ActiveListener, createActiveListener } from "./listener.ts";
import type { ProxyDeps } from "./proxy-deps.ts";
import type { Runtime } from "./runtime.ts";
import type { IstioTelemetry } from "./stats/istio-telemetry.ts";

export interface ListenerSet {
  readonly active: ReadonlyMap<string, ActiveListener>;
  /** Connections that left a pod's program: to the listener that would get them from iptables (15001), then on by destination. */
  acceptOutbound(connection: AcceptedConnection): void;
  /** Connections into the pod: a listener bound to the destination's port, else the inbound capture listener (15006). */
  acceptInbound(connection: AcceptedConnection): void;
  /** Connections on a bound address of a listener (a proxy that runs alone). */
  accept(listenerName: string, connection: AcceptedConnection): void;
  onChange(callback: () => void): void;
  drain(): void;
  /** Open connections, those of replaced listeners included. */
  readonly connections: number;
  close(): void;
}

const OUTBOUND_PORT = 15_001;
const INBOUND_PORT = 15_006;

export function createListenerSet(deps: ProxyDeps, runtime: Runtime, istio: IstioTelemetry): ListenerSet {
  const active = new Map<string, ActiveListener>();
  const draining = new Set<ActiveListener>();
  const callbacks: (() => void)[] = [];
  let byAddress = new Map<string, ActiveListener>();

  const rebuild = () => {
    for (const [name, listener] of active) {
      if (runtime.listeners.get(name)?.value === listener.config) continue;
      active.delete(name);
      draining.add(listener);
      listener.drain();
    }
    for (const [name, entry] of runtime.listeners) {
      if (!active.has(name)) active.set(name, createActiveListener(entry.value, deps, runtime, istio));
    }
    for (const listener of draining) if (listener.connections === 0) draining.delete(listener);
    byAddress = new Map();
    for (const listener of active.values()) {
      for (const address of listener.config.addresses)
        if (address.kind === "ip") byAddress.set(`${address.ip}:${address.port}`, listener);
    }
    for (const callback of callbacks) callback();
  };
  runtime.onListenersChange(rebuild);
  deps.registry.onRead(() => {
    for (const listener of active.values()) void listener.stats;
  });

  const find = (ip: string, port: number, wants: (config: ListenerConfig) => boolean): ActiveListener | undefined => {
    for (const host of [ip, "0.0.0.0", "::"]) {
      const listener = byAddress.get(`${host}:${port}`);
      if (listener !== undefined && wants(listener.config)) return listener;
    }
    return undefined;
  };

  /** use_original_dst: on to a listener that is not bound, of the same direction, if the destination has one. */
  const handOver = (listener: ActiveListener, connection: AcceptedConnection) => {
    const { destination } = connection;
    const next = listener.config.usesOriginalDst
      ? find(
          destination.ip,
          destination.port,
          (config) => !config.bindsToPort && config.direction === listener.config.direction,
        )
      : undefined;
    (next ?? listener).accept(connection);
  };

  return {
    active,
    acceptOutbound(connection) {
      const capture = find("0.0.0.0", OUTBOUND_PORT, (config) => config.bindsToPort);
      if (capture === undefined) connection.socket.destroy();
      else handOver(capture, connection);
    },
    acceptInbound(connection) {
      const { ip, port } = connection.destination;
      const bound = find(ip, port, (config) => config.bindsToPort);
      const target = bound ?? find("0.0.0.0", INBOUND_PORT, (config) => config.bindsToPort);
      if (target === undefined) connection.socket.destroy();
      else handOver(target, connection);
    },
    accept(listenerName, connection) {
      const listener = active.get(listenerName);
      if (listener === undefined) connection.socket.destroy();
      else handOver(listener, connection);
    },
    onChange: (callback) => void callbacks.push(callback),
    drain() {
      for (const listener of active.values()) listener.drain();
    },
    get connections() {
      let sum = 0;
      for (const listener of [...active.values(), ...draining]) sum += listener.connections;
      return sum;
    },
    close() {
      for (const listener of [...active.values(), ...draining]) listener.close();
    },
  };
}
