/**
 * Takes accepted connections to the listener and filter chain that their destination selects, and runs what the chain says.
 *   accept → PROXY header (pod network) → listener by original destination → tls_inspector / http_inspector → filter chain → TLS → HTTP or TCP
 * A connection that no chain wants is reset. https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/listeners/listener_filters
 */
import type { Socket } from "node:net";
import { createHeaderBlock } from "@argyle/codec";
import { describeError } from "@argyle/core";
import { formatHostPort } from "./config/address.ts";
import { findFilterChain } from "./config/filter-chain-match.ts";
import type { FilterChainConfig, ListenerConfig } from "./config/listener-config.ts";
import { takeProxyHeader } from "./filters/proxy-protocol.ts";
import { acceptHttp } from "./http/accept-http.ts";
import type { DownstreamFacts, DownstreamTlsFacts } from "./http/downstream-facts.ts";
import type { HttpContext } from "./http/http-context.ts";
import { StreamState } from "./http/stream-state.ts";
import { createHttpContext, createLogWriter, createTcpContext } from "./http-context-factory.ts";
import { type Inspection, inspect } from "./io/inspect.ts";
import { Transport } from "./io/transport.ts";
import { rbacDeniedDetails } from "./local-reply.ts";
import { refusingPolicy } from "./network-access.ts";
import type { ProxyDeps } from "./proxy-deps.ts";
import type { Runtime } from "./runtime.ts";
import type { IstioTelemetry } from "./stats/istio-telemetry.ts";
import { createListenerStats, type ListenerStats, listenerStatName } from "./stats/listener-stats.ts";
import { type TcpContext, TcpSession } from "./tcp-proxy.ts";
import { secureDownstream } from "./tls/downstream-tls.ts";
import type { OriginalDestination } from "./upstream/cluster.ts";

export interface AcceptedConnection {
  readonly socket: Socket;
  /** Bytes that were read already (after a PROXY header). */
  readonly peeked: Buffer;
  readonly source: { readonly ip: string; readonly port: number };
  readonly destination: OriginalDestination;
  /** Ends the connection so that the peer sees a reset; only while the socket was not handed on. */
  readonly reset: () => void;
}

export interface ActiveListener {
  readonly config: ListenerConfig;
  /** Made when something is counted or somebody asks: most listeners of a sidecar never see a connection. */
  readonly stats: ListenerStats;
  accept(connection: AcceptedConnection): void;
  /** Connections end with their next response (HTTP/2: GOAWAY, and when the last one is answered), the rest when the drain time is over, so that no request is lost. */
  drain(): void;
  readonly connections: number;
  close(): void;
}

interface OpenConnection {
  close(): void;
  drain(): void;
}

let nextConnectionId = 1;
const HANDSHAKE_TIMEOUT_MS = 15_000;
const DRAIN_MS = 45_000;

export function createActiveListener(
  config: ListenerConfig,
  deps: ProxyDeps,
  runtime: Runtime,
  istio: IstioTelemetry,
): ActiveListener {
  let isDraining = false;
  let made: ListenerStats | undefined;
  const stats = () => {
    made ??= createListenerStats(deps.registry, listenerStatName(config));
    return made;
  };
  const contexts = new Map<FilterChainConfig, HttpContext | TcpContext>();
  const open = new Set<OpenConnection>();
  const writeListenerLogs = createLogWriter(config.accessLogs, deps);

  const contextOf = (chain: FilterChainConfig): HttpContext | TcpContext | undefined => {
    const known = contexts.get(chain);
    if (known !== undefined || chain.filter === undefined) return known;
    const context =
      chain.filter.kind === "http"
        ? createHttpContext(chain.filter, config, deps, runtime, istio, () => isDraining)
        : createTcpContext(chain.filter, chain, config, deps, runtime, istio);
    contexts.set(chain, context);
    return context;
  };

  const facts = (
    connection: AcceptedConnection,
    serverName: string,
    tls: DownstreamTlsFacts | undefined,
  ): DownstreamFacts => ({
    id: nextConnectionId++,
    localAddress: formatHostPort(connection.destination.ip, connection.destination.port),
    remoteAddress: formatHostPort(connection.source.ip, connection.source.port),
    remoteIp: connection.source.ip,
    destination: connection.destination,
    serverName,
    tls,
  });

  /** The record of a connection that never became a stream. */
  const recordOf = (known: DownstreamFacts) =>
    new StreamState(known, createHeaderBlock(), "", "", "-", deps.clock.now(), deps.clock.monotonic());

  const refuse = (connection: AcceptedConnection, serverName: string) => {
    stats().noFilterChain.add(1);
    const state = recordOf(facts(connection, serverName, undefined));
    state.addFlag("NR");
    state.responseCodeDetails = "filter_chain_not_found";
    state.durationMs = 0;
    writeListenerLogs(state);
    connection.reset();
  };

  /** False: the chain's policies refuse the connection, which is ended and logged. */
  const mayEnter = (chain: FilterChainConfig, context: HttpContext | TcpContext, known: DownstreamFacts): boolean => {
    if (chain.rbac.length === 0) return true;
    const state = recordOf(known);
    const policy = refusingPolicy(chain, state, deps.registry);
    if (policy === undefined) return true;
    state.connectionTerminationDetails = rbacDeniedDetails(policy);
    state.durationMs = 0;
    context.writeLogs(state);
    return false;
  };

  const serve = (
    chain: FilterChainConfig,
    transport: Transport,
    peeked: Buffer | undefined,
    known: DownstreamFacts,
  ) => {
    const context = contextOf(chain);
    if (context === undefined || !mayEnter(chain, context, known)) {
      transport.destroy();
      return;
    }
    stats().cxTotal.add(1);
    stats().cxActive.add(1);
    let entry: OpenConnection | undefined;
    let isGone = false;
    const onClose = () => {
      isGone = true;
      stats().cxActive.add(-1);
      if (entry !== undefined) open.delete(entry);
    };
    if (isHttp(context)) {
      const http = acceptHttp(context, known, transport, peeked, onClose);
      entry = { close: () => transport.socket.destroy(), drain: () => http.drain() };
    } else {
      const session = new TcpSession(context, known, transport, peeked, onClose);
      entry = { close: () => session.close(), drain: () => undefined };
    }
    if (!isGone) open.add(entry);
  };

  const choose = (connection: AcceptedConnection, seen: Inspection): FilterChainConfig | undefined =>
    findFilterChain(config.chains, {
      destinationIp: connection.destination.ip,
      destinationPort: connection.destination.port,
      sourceIp: connection.source.ip,
      sourcePort: connection.source.port,
      serverName: seen.serverName,
      transportProtocol: seen.isTls ? "tls" : "raw_buffer",
      applicationProtocols: seen.protocols,
    }) ?? config.defaultChain;

  const dispatch = (connection: AcceptedConnection, seen: Inspection) => {
    const { socket } = connection;
    const chain = choose(connection, seen);
    if (chain === undefined || chain.filter === undefined) {
      refuse(connection, seen.serverName);
      return;
    }
    if (chain.transport.kind === "raw") {
      serve(chain, new Transport(socket), seen.bytes, facts(connection, seen.serverName, undefined));
      return;
    }
    if (seen.bytes.length > 0) socket.unshift(seen.bytes);
    const timeout = chain.transportConnectTimeoutMs > 0 ? chain.transportConnectTimeoutMs : HANDSHAKE_TIMEOUT_MS;
    secureDownstream(socket, chain.transport.tls, runtime.secrets, timeout).then(
      (secured) => {
        stats().sslHandshake.add(1);
        const { peer, localPrincipal, alpn, version, cipher } = secured;
        const known = facts(connection, seen.serverName, { peer, localPrincipal, alpn, version, cipher });
        serve(chain, new Transport(secured.socket), undefined, known);
      },
      (error: unknown) => {
        stats().sslFailure.add(1);
        deps.log.debug("TLS handshake failed", { listener: config.name, error: describeError(error) });
        socket.destroy();
      },
    );
  };

  const lookAt = (connection: AcceptedConnection) => {
    const { port } = connection.destination;
    const wantsTls = config.inspectsTls(port);
    const wantsHttp = config.inspectsHttp(port);
    if (!wantsTls && !wantsHttp) {
      dispatch(connection, { isTls: false, serverName: "", protocols: [], bytes: connection.peeked });
      return;
    }
    inspect(
      connection.socket,
      connection.peeked,
      { wantsTls, wantsHttp, timeoutMs: config.inspectTimeoutMs },
      deps.clock,
    ).then(
      (seen) => {
        if (seen === undefined) connection.socket.destroy();
        else if (seen.timedOut === true && !config.continuesOnTimeout) {
          stats().preCxTimeout.add(1);
          connection.socket.destroy();
        } else dispatch(connection, seen);
      },
      (error: unknown) => {
        deps.log.debug("inspection failed", { listener: config.name, error: describeError(error) });
        connection.socket.destroy();
      },
    );
  };

  return {
    config,
    get stats() {
      return stats();
    },
    accept(connection) {
      if (config.proxyProtocol === undefined) {
        lookAt(connection);
        return;
      }
      void takeProxyHeader(connection, config.proxyProtocol.allowsAbsent, deps.clock).then((taken) => {
        if (taken !== undefined) lookAt(taken);
        else {
          stats().proxyProtocolError.add(1);
          connection.socket.destroy();
        }
      });
    },
    drain() {
      if (isDraining) return;
      isDraining = true;
      for (const connection of [...open]) connection.drain();
      deps.clock.after(
        DRAIN_MS,
        () => {
          for (const connection of [...open]) connection.close();
        },
        { unref: true },
      );
    },
    get connections() {
      return open.size;
    },
    close() {
      isDraining = true;
      for (const connection of [...open]) connection.close();
    },
  };
}

function isHttp(context: HttpContext | TcpContext): context is HttpContext {
  return context.config.kind === "http";
}
