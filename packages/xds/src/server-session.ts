/**
 * The server side of one ADS stream, without I/O. Requests go in, marks of change go in, responses come out of `flush`.
 * It holds what the client was sent (name → version), nothing of the contents: those are looked up when they are sent.
 *
 * Per type:  idle ──change/subscribe──► dirty ──flush──► waiting for ACK ──ACK/NACK──► idle (or dirty: the merged change goes next)
 *
 * Invariants
 *  - At most one response per type is unanswered; changes in the meantime merge.
 *  - Make before break: LDS and RDS wait while CDS or EDS have unsent news; removals of clusters and endpoints wait until LDS and RDS
 *    have nothing unsent. https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
 *  - Delta: a name that does not exist is answered in removed_resources; a name subscribed again is sent again.
 *  - A NACK changes nothing but the status: the same version is not sent twice.
 */
import {
  compare,
  createStream,
  GOES_LATE,
  type RequestOutcome,
  type ResourceLookup,
  type TypeState,
  type TypeStatus,
} from "./server-stream.ts";
import { WILDCARD_TYPES } from "./type-urls.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DeltaResource,
  DiscoveryRequest,
  DiscoveryResponse,
} from "./types/discovery.ts";

export interface ServerSession<Request, Response> {
  receive(request: Request): RequestOutcome;
  markChanged(typeUrls: Iterable<string>): void;
  flush(lookup: ResourceLookup): readonly Response[];
  status(): readonly TypeStatus[];
  /** Something is still to be said: it waits for an answer, or for its turn. */
  hasNews(): boolean;
}

interface Difference {
  readonly upserts: readonly DeltaResource[];
  readonly removals: readonly string[];
}

export function createDeltaServerSession(
  streamId: string,
): ServerSession<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const stream = createStream(streamId);

  const send = (state: TypeState, difference: Difference): DeltaDiscoveryResponse => {
    for (const { name, version } of difference.upserts) state.sent.set(name, version);
    for (const name of difference.removals) state.sent.delete(name);
    return {
      typeUrl: state.typeUrl,
      nonce: stream.startWaiting(state),
      resources: difference.upserts,
      removedResources: difference.removals,
      systemVersionInfo: "",
    };
  };

  return {
    status: stream.status,
    hasNews: stream.hasNews,
    markChanged: stream.markChanged,
    receive(request) {
      const isFirst = !stream.has(request.typeUrl);
      const state = stream.stateOf(request.typeUrl);
      if (isFirst) {
        for (const [name, version] of request.initialResourceVersions) state.sent.set(name, version);
        state.isWildcard = request.subscribe.length === 0;
        state.isDirty = true;
        state.owesAnswer = request.initialResourceVersions.size === 0;
      }
      for (const name of request.subscribe) {
        if (name === "*") state.isWildcard = true;
        else state.names.add(name);
        const isKnownFromBefore = isFirst && request.initialResourceVersions.has(name);
        if (name !== "*" && !isKnownFromBefore) state.due.add(name);
        state.isDirty = true;
      }
      for (const name of request.unsubscribe) {
        if (name === "*") state.isWildcard = false;
        state.names.delete(name);
        state.due.delete(name);
      }
      if (request.unsubscribe.length > 0 && !state.isWildcard) {
        for (const name of state.sent.keys()) if (!state.names.has(name)) state.sent.delete(name);
      }
      return stream.answer(state, request.responseNonce, request.errorDetail);
    },
    flush(lookup) {
      const responses: DeltaDiscoveryResponse[] = [];
      const visit = (state: TypeState, removalsMayGo: boolean) => {
        const difference = compare(state, lookup);
        const holdsBack = difference.removals.length > 0 && GOES_LATE.has(state.typeUrl) && !removalsMayGo;
        const due = difference.removals.filter((name) => state.due.has(name));
        const going = holdsBack ? { upserts: difference.upserts, removals: due } : difference;
        const owes = state.owesAnswer;
        state.due.clear();
        state.owesAnswer = false;
        state.isDirty = false;
        state.holdsRemovals = going.removals.length < difference.removals.length;
        if (owes || going.upserts.length + going.removals.length > 0) responses.push(send(state, going));
      };
      for (const state of stream.sendable()) visit(state, !stream.usersAreDirty());
      for (const state of stream.sendable()) visit(state, !stream.usersAreDirty());
      return responses;
    },
  };
}

/** `hash` names a set of versions; it is kept by clients across reconnects, so it depends on the content only. */
export function createSotwServerSession(
  streamId: string,
  hash: (text: string) => string,
): ServerSession<DiscoveryRequest, DiscoveryResponse> {
  const stream = createStream(streamId);
  return {
    status: stream.status,
    hasNews: stream.hasNews,
    markChanged: stream.markChanged,
    receive(request) {
      const isFirst = !stream.has(request.typeUrl);
      const state = stream.stateOf(request.typeUrl);
      if (!isFirst && request.responseNonce !== "" && request.responseNonce !== state.nonce) return { kind: "stale" };
      const names = new Set(request.resourceNames);
      if (isFirst) {
        state.isWildcard = names.size === 0 && WILDCARD_TYPES.has(request.typeUrl);
        state.setVersion = request.versionInfo;
        state.owesAnswer = true;
        state.isDirty = true;
      } else if (names.size > 0) state.isWildcard = false;
      if (names.delete("*")) state.isWildcard = true;
      for (const name of names) {
        if (state.names.has(name)) continue;
        state.names.add(name);
        state.due.add(name);
        state.isDirty = true;
        // A full-state answer without the name is how the client learns that it does not exist.
        if (WILDCARD_TYPES.has(request.typeUrl)) state.owesAnswer = true;
      }
      for (const name of state.names) {
        if (names.has(name)) continue;
        state.names.delete(name);
        state.due.delete(name);
        if (!state.isWildcard) state.sent.delete(name);
      }
      return stream.answer(state, request.responseNonce, request.errorDetail);
    },
    flush(lookup) {
      const responses: DiscoveryResponse[] = [];
      for (const state of stream.sendable()) {
        const isFull = WILDCARD_TYPES.has(state.typeUrl);
        const difference = compare(state, lookup, isFull);
        const version = hash([...difference.all].map(([name, v]) => `${name}=${v}`).join("\n"));
        const isKnownFromBefore =
          isFull && state.nonce === "" && state.setVersion !== "" && state.setVersion === version;
        const isNews = difference.upserts.length > 0 || (isFull && difference.removals.length > 0);
        const owes = state.owesAnswer && (isFull || difference.upserts.length > 0);
        state.due.clear();
        state.owesAnswer = false;
        state.isDirty = false;
        state.sent.clear();
        for (const [name, v] of difference.all) state.sent.set(name, v);
        if (isKnownFromBefore || !(isNews || owes)) continue;
        state.setVersion = version;
        responses.push({
          typeUrl: state.typeUrl,
          versionInfo: version,
          nonce: stream.startWaiting(state),
          resources: (isFull ? difference.current : difference.upserts).map(({ resource }) => resource),
        });
      }
      return responses;
    },
  };
}
