/**
 * istiod's gRPC server: AggregatedDiscoveryService (Delta and state of the world) and IstioCertificateService.
 *
 * A change of the source marks the streams it concerns, in the next turn of the event loop unless changes keep coming (change-pace.ts); they are
 * flushed in slices of time so that a large mesh does not starve requests. There is no debounce floor: a burst merges because translation rests in
 * proportion to what it took, and because a stream whose response is unanswered is not sent another one of that type.
 * The TLS port demands an identity (certificate of the mesh or service-account token); the plaintext port takes everyone, as in Istio.
 */
import type { Clock, Logger } from "@argyle/core";
import { formatProblems } from "@argyle/core";
import {
  createDeltaServerSession,
  createSotwServerSession,
  createXdsWire,
  type ResourceLookup,
  type VersionedResource,
  type XdsRegistry,
} from "@argyle/xds";
import type { AdsConnection } from "./ads-connection.ts";
import { serveGrpc } from "./ads-grpc.ts";
import type { CertificateSigner } from "./ca-server.ts";
import { createChangePace } from "./change-pace.ts";
import type { ConfigSource, ProxyNode } from "./config-source.ts";
import { contentHash, createEncodedResources } from "./encoded-resources.ts";
import type { VerifyToken } from "./identity.ts";
import type { ServeMetrics } from "./serve-metrics.ts";
import type { ServingCredentials } from "./serving-credentials.ts";

export interface AdsServerOptions {
  readonly source: ConfigSource;
  readonly registry: XdsRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServeMetrics;
  readonly trustDomain: string;
  readonly verifyToken: VerifyToken;
  /** Signs CSRs on both ports' TLS; without it CreateCertificate is unimplemented. */
  readonly signer?: CertificateSigner;
}

export interface AdsServer {
  /** `address` is host:port (port 0 for any) or `unix:path`; the bound port comes back. */
  listenTls(address: string, credentials: ServingCredentials): Promise<number>;
  listenPlaintext(address: string): Promise<number>;
  connections(): readonly AdsConnection[];
  /** What the source has for one proxy now, for config_dump. */
  resources(node: ProxyNode, typeUrl: string): ReadonlyMap<string, object>;
  close(): Promise<void>;
}

/** Longest slice of flushing before other events get their turn. */
const SLICE_MS = 8;

export function createAdsServer(options: AdsServerOptions): AdsServer {
  const { source, clock, metrics, log } = options;
  const wire = createXdsWire(options.registry);
  const connections = new Set<AdsConnection>();
  const due = new Set<AdsConnection>();
  let isScheduled = false;
  let streams = 0;

  const encoded = createEncodedResources(options.registry, (typeUrl, name, problems) => {
    metrics.encodeFailed();
    log.error("resource does not encode and is not sent", { type: typeUrl, name, problems: formatProblems(problems) });
  });
  const lookupFor =
    (node: ProxyNode): ResourceLookup =>
    (typeUrl, names) => {
      const found = new Map<string, VersionedResource | "unavailable">();
      for (const [name, resource] of source.resources(node, typeUrl, names)) {
        found.set(name, encoded.encode(typeUrl, name, resource));
      }
      return found;
    };

  const flushSlice = () => {
    isScheduled = false;
    const started = clock.monotonic();
    const end = started + SLICE_MS;
    for (const connection of due) {
      due.delete(connection);
      connection.flush();
      if (clock.monotonic() > end) break;
    }
    pace.worked(clock.monotonic() - started);
    if (due.size > 0) schedule();
  };
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(flushSlice);
  };
  const requestFlush = (connection: AdsConnection) => {
    due.add(connection);
    schedule();
  };

  const pace = createChangePace({
    clock,
    round(changes, changedAt) {
      metrics.triggered("config");
      for (const connection of connections) {
        for (const change of changes) {
          if (!change.affects(connection.node)) continue;
          connection.markChanged(change.typeUrls, changedAt);
          requestFlush(connection);
        }
      }
    },
  });
  const unsubscribe = source.subscribe(pace.changed);

  const deps = {
    clock,
    log,
    metrics,
    lookupFor,
    requestFlush,
    onReady(connection: AdsConnection) {
      connections.add(connection);
      metrics.connected(connections.size);
      log.info("ADS: new connection", { node: connection.node.id, mode: connection.mode, id: connection.id });
    },
  };
  const onClosed = (connection: AdsConnection) => {
    connections.delete(connection);
    due.delete(connection);
    metrics.connected(connections.size);
    log.info("ADS: connection terminated", { node: connection.node.id, id: connection.id });
  };

  const grpc = serveGrpc({
    wire,
    log,
    metrics,
    trustDomain: options.trustDomain,
    verifyToken: options.verifyToken,
    signer: options.signer,
    connection: deps,
    onClosed,
    nextStreamId: () => String(++streams),
    createDelta: createDeltaServerSession,
    createSotw: (id) => createSotwServerSession(id, contentHash),
  });

  return {
    listenTls: grpc.listenTls,
    listenPlaintext: grpc.listenPlaintext,
    connections: () => [...connections],
    resources(node, typeUrl) {
      const names = connectionNames(connections, node, typeUrl);
      return source.resources(node, typeUrl, names);
    },
    async close() {
      unsubscribe();
      pace.close();
      due.clear();
      for (const connection of connections) connection.close();
      await grpc.close();
    },
  };
}

/** What this proxy subscribed to; everything when it did so by wildcard. */
function connectionNames(
  connections: ReadonlySet<AdsConnection>,
  node: ProxyNode,
  typeUrl: string,
): "*" | ReadonlySet<string> {
  for (const connection of connections) {
    if (connection.node !== node) continue;
    const status = connection.types().find((type) => type.typeUrl === typeUrl);
    if (status !== undefined) return status.isWildcard ? "*" : status.names;
  }
  return new Set<string>();
}
