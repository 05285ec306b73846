/**
 * One ADS stream of one proxy: the node, the protocol session, and when it is time to write.
 * The owner calls `flush` after it marked changes; this file never writes outside of it, so the owner decides about batching.
 */
import { type Clock, formatProblems, type Logger } from "@argyle/core";
import {
  type Node,
  type RequestOutcome,
  type ResourceLookup,
  type ServerSession,
  shortTypeName,
  type TypeStatus,
} from "@argyle/xds";
import type { ProxyNode } from "./config-source.ts";
import { parseProxyNode } from "./proxy-node.ts";
import type { ServeMetrics } from "./serve-metrics.ts";

export interface AdsConnection {
  readonly id: string;
  readonly mode: "delta" | "sotw";
  readonly address: string;
  readonly connectedAt: number;
  readonly node: ProxyNode;
  types(): readonly TypeStatus[];
  markChanged(typeUrls: ReadonlySet<string>, changedAt: number): void;
  /** Sends what may go now. */
  flush(): void;
  close(): void;
}

/** What a connection needs of its gRPC stream. */
export interface StreamSink<Response> {
  /** False when the stream asks to wait for `resumed`. */
  write(response: Response): boolean;
  fail(code: "INVALID_ARGUMENT" | "PERMISSION_DENIED", message: string): void;
  end(): void;
}

interface AnyRequest {
  readonly typeUrl: string;
  readonly node?: Node;
}

interface AnyResponse {
  readonly typeUrl: string;
  readonly resources: readonly unknown[];
}

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServeMetrics;
  readonly lookupFor: (node: ProxyNode) => ResourceLookup;
  /** The connection has a node and takes part from now on. */
  readonly onReady: (connection: AdsConnection) => void;
  readonly requestFlush: (connection: AdsConnection) => void;
}

export interface Incoming<Request> {
  request(request: Request): void;
  resumed(): void;
}

export function createAdsConnection<Request extends AnyRequest, Response extends AnyResponse>(
  stream: {
    readonly id: string;
    readonly mode: "delta" | "sotw";
    readonly address: string;
    readonly identity: ProxyNode["identity"];
  },
  session: ServerSession<Request, Response>,
  sink: StreamSink<Response>,
  deps: ConnectionDeps,
): Incoming<Request> {
  let connection: AdsConnection | undefined;
  let isBlocked = false;
  let changedAt: number | undefined;

  const accept = (node: Node): AdsConnection | undefined => {
    const parsed = parseProxyNode(node);
    if (!parsed.ok) {
      sink.fail("INVALID_ARGUMENT", formatProblems(parsed.error));
      return undefined;
    }
    const { identity } = stream;
    if (identity !== undefined && identity.namespace !== parsed.value.namespace) {
      sink.fail("PERMISSION_DENIED", `identity of namespace ${identity.namespace} cannot be ${node.id}`);
      return undefined;
    }
    const proxy: ProxyNode = identity === undefined ? parsed.value : { ...parsed.value, identity };
    return {
      id: `${proxy.name}.${proxy.namespace}-${stream.id}`,
      mode: stream.mode,
      address: stream.address,
      connectedAt: deps.clock.now(),
      node: proxy,
      types: () => session.status(),
      markChanged(typeUrls, at) {
        changedAt ??= at;
        session.markChanged(typeUrls);
      },
      flush() {
        if (isBlocked) return;
        send(proxy);
      },
      close: () => sink.end(),
    };
  };

  const send = (proxy: ProxyNode) => {
    const started = deps.clock.monotonic();
    const responses = session.flush(deps.lookupFor(proxy));
    for (const response of responses) {
      const type = shortTypeName(response.typeUrl);
      if (!sink.write(response)) isBlocked = true;
      deps.metrics.pushed(type, sizeOf(response));
      deps.metrics.pushTook(type, (deps.clock.monotonic() - started) / 1000);
      deps.log.debug("push", { node: proxy.id, type, resources: response.resources.length });
    }
    if (changedAt === undefined || session.hasNews()) return;
    if (responses.length > 0) deps.metrics.converged((deps.clock.monotonic() - changedAt) / 1000);
    changedAt = undefined;
  };

  return {
    request(request) {
      if (connection === undefined) {
        if (request.node === undefined) {
          sink.fail("INVALID_ARGUMENT", "the first request of a stream must carry the node");
          return;
        }
        connection = accept(request.node);
        if (connection === undefined) return;
        deps.onReady(connection);
      }
      noteOutcome(connection, request.typeUrl, session.receive(request), deps);
      deps.requestFlush(connection);
    },
    resumed() {
      isBlocked = false;
      if (connection !== undefined) deps.requestFlush(connection);
    },
  };
}

function noteOutcome(connection: AdsConnection, typeUrl: string, outcome: RequestOutcome, deps: ConnectionDeps): void {
  if (outcome.kind !== "nacked") return;
  const type = shortTypeName(typeUrl);
  deps.metrics.rejected(type);
  deps.log.warn(`${type.toUpperCase()}: ACK ERROR`, { node: connection.node.id, error: outcome.error.message });
}

function sizeOf(response: AnyResponse): number {
  let bytes = 0;
  for (const resource of response.resources) {
    if (typeof resource !== "object" || resource === null) continue;
    const packed = "resource" in resource ? resource.resource : resource;
    if (typeof packed === "object" && packed !== null && "value" in packed && packed.value instanceof Uint8Array) {
      bytes += packed.value.length;
    }
  }
  return bytes;
}
