/** How a stream becomes a metric cell: who is proved by certificate, which labels are bounded, and the cache that finds cells without building text. */
import type { HttpStream } from "../http/stream.ts";
import type { TcpSession } from "../tcp-proxy.ts";
import type { LabelInput, ServiceLabels } from "./istio-labels.ts";
import type { Workload } from "./peer-metadata.ts";

/** Who is known by certificate, and Istio's connection_security_policy. */
export function principals(
  isInbound: boolean,
  stream: Pick<HttpStream | TcpSession, "state" | "upstreamPrincipal">,
  ownPrincipal: () => string | undefined,
): { readonly source: string; readonly destination: string; readonly policy: string } {
  if (!isInbound) {
    const destination = stream.upstreamPrincipal ?? "unknown";
    const source = stream.upstreamPrincipal === undefined ? "unknown" : (ownPrincipal() ?? "unknown");
    return { source, destination, policy: "unknown" };
  }
  const { tls } = stream.state.downstream;
  const isMutual = tls?.peer !== undefined;
  return {
    source: tls?.peer?.principal ?? "unknown",
    destination: isMutual ? (tls.localPrincipal ?? "unknown") : "unknown",
    policy: isMutual ? "mutual_tls" : "none",
  };
}

/** grpc-status comes from the app: only numbers become labels. */
export function boundedGrpc(status: string): string {
  return status === "" || /^\d{1,2}$/.test(status) ? status : "unknown";
}

type CreateCells<C> = (
  input: LabelInput,
  protocol: string,
  code: number,
  flags: string,
  grpc: string,
  policy: string,
) => C;

const MAX_CACHED_KEYS = 8192;

/** The cells of one peer and service by all else, and those used last: one outcome is by far the most frequent. */
interface CellsOfPair<C> {
  readonly byKey: Map<string, C>;
  last: LastCells<C> | undefined;
}

interface LastCells<C> {
  readonly isInbound: boolean;
  readonly code: number;
  readonly flags: string;
  readonly grpc: string;
  readonly protocol: string;
  readonly policy: string;
  readonly sourcePrincipal: string;
  readonly destinationPrincipal: string;
  readonly cells: C;
}

/** hot: peers and services are objects that live as long as their text, so the look-ups below build a key only when the outcome changes. */
export function createCellCache<C>(create: CreateCells<C>) {
  let byPeer = new Map<Workload, Map<ServiceLabels, CellsOfPair<C>>>();
  let size = 0;
  return (
    isInbound: boolean,
    own: Workload,
    peer: Workload,
    service: ServiceLabels,
    sourcePrincipal: string,
    destinationPrincipal: string,
    protocol: string,
    code: number,
    flags: string,
    grpc: string,
    policy: string,
  ): C => {
    let byService = byPeer.get(peer);
    if (byService === undefined) {
      byService = new Map();
      byPeer.set(peer, byService);
    }
    let pair = byService.get(service);
    if (pair === undefined) {
      pair = { byKey: new Map(), last: undefined };
      byService.set(service, pair);
    }
    const { byKey, last } = pair;
    if (
      last !== undefined &&
      last.code === code &&
      last.flags === flags &&
      last.grpc === grpc &&
      last.protocol === protocol &&
      last.isInbound === isInbound &&
      last.policy === policy &&
      last.sourcePrincipal === sourcePrincipal &&
      last.destinationPrincipal === destinationPrincipal
    )
      return last.cells;
    const key = `${isInbound ? "i" : "o"}${code}${flags}|${grpc}|${protocol}|${policy}|${sourcePrincipal}|${destinationPrincipal}`;
    let cells = byKey.get(key);
    if (cells === undefined) {
      if (size >= MAX_CACHED_KEYS) {
        byPeer = new Map();
        size = 0;
      }
      cells = create(
        {
          reporter: isInbound ? "destination" : "source",
          source: isInbound ? peer : own,
          destination: isInbound ? own : peer,
          sourcePrincipal,
          destinationPrincipal,
          service,
        },
        protocol,
        code,
        flags,
        grpc,
        policy,
      );
      byKey.set(key, cells);
      size += 1;
    }
    pair.last = { isInbound, code, flags, grpc, protocol, policy, sourcePrincipal, destinationPrincipal, cells };
    return cells;
  };
}
