/**
 * Bookkeeping of one ADS stream that both protocol variants share: per type what is subscribed, what was sent, what is unanswered;
 * and the difference between that and what exists. The rules are in server-session.ts.
 */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, pushRank, ROUTE_TYPE } from "./type-urls.ts";
import type { DeltaResource, Status } from "./types/discovery.ts";

export interface VersionedResource {
  readonly version: string;
  readonly value: Uint8Array;
}

/** What exists now. `unavailable`: it exists but cannot be sent (it does not encode), so the client keeps what it has. */
export type ResourceLookup = (
  typeUrl: string,
  names: "*" | ReadonlySet<string>,
) => ReadonlyMap<string, VersionedResource | "unavailable">;

export type RequestOutcome =
  | { readonly kind: "subscribed" }
  | { readonly kind: "acked" }
  | { readonly kind: "nacked"; readonly error: Status }
  /** An answer to an older response; nothing happened. */
  | { readonly kind: "stale" };

export interface TypeStatus {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  readonly names: ReadonlySet<string>;
  readonly sent: ReadonlyMap<string, string>;
  readonly sentNonce: string;
  readonly ackedNonce: string;
  readonly state: "NOT SENT" | "STALE" | "SYNCED";
  /** The last answer was a refusal. */
  readonly error: string | undefined;
}

export interface TypeState {
  readonly typeUrl: string;
  isWildcard: boolean;
  readonly names: Set<string>;
  readonly sent: Map<string, string>;
  /** Names whose subscription must be answered whatever their version. */
  readonly due: Set<string>;
  isDirty: boolean;
  /** The first response of a wildcard or full-state type is owed even if empty. */
  owesAnswer: boolean;
  /** Removals were kept back until their users have been sent. */
  holdsRemovals: boolean;
  isWaiting: boolean;
  nonce: string;
  ackedNonce: string;
  /** State of the world: the version of the whole set that was sent last, or that the client brought along. */
  setVersion: string;
  error: string | undefined;
}

/** Their removals wait for the types that point at them. */
export const GOES_LATE: ReadonlySet<string> = new Set([CLUSTER_TYPE, ENDPOINT_TYPE]);
const USERS: readonly string[] = [LISTENER_TYPE, ROUTE_TYPE];

export function createStream(streamId: string) {
  const states = new Map<string, TypeState>();
  let responses = 0;
  const isPending = (state: TypeState) =>
    state.isDirty || state.holdsRemovals || state.owesAnswer || state.due.size > 0;
  const usersAreDirty = () => USERS.some((typeUrl) => states.get(typeUrl)?.isDirty === true);
  return {
    has: (typeUrl: string) => states.has(typeUrl),
    usersAreDirty,
    hasNews: () => [...states.values()].some(isPending),
    stateOf(typeUrl: string): TypeState {
      let state = states.get(typeUrl);
      if (state === undefined) {
        state = newTypeState(typeUrl);
        states.set(typeUrl, state);
      }
      return state;
    },
    markChanged(typeUrls: Iterable<string>) {
      for (const typeUrl of typeUrls) {
        const state = states.get(typeUrl);
        if (state !== undefined) state.isDirty = true;
      }
    },
    /** Types with news that may go now, in push order, each judged when its turn comes. */
    *sendable(): Iterable<TypeState> {
      const ordered = [...states.values()].sort((a, b) => pushRank(a.typeUrl) - pushRank(b.typeUrl));
      for (const state of ordered) {
        if (!isPending(state) || state.isWaiting) continue;
        const isBehind =
          USERS.includes(state.typeUrl) &&
          ordered.some((other) => GOES_LATE.has(other.typeUrl) && other.isWaiting && other.isDirty);
        if (!isBehind) yield state;
      }
    },
    startWaiting(state: TypeState): string {
      responses += 1;
      state.nonce = `${streamId}-${responses}`;
      state.isWaiting = true;
      return state.nonce;
    },
    answer(state: TypeState, nonce: string, error: Status | undefined): RequestOutcome {
      if (nonce === "") return { kind: "subscribed" };
      if (nonce !== state.nonce) return { kind: "stale" };
      state.isWaiting = false;
      state.error = error?.message;
      if (error !== undefined) return { kind: "nacked", error };
      state.ackedNonce = nonce;
      return { kind: "acked" };
    },
    status: (): readonly TypeStatus[] =>
      [...states.values()].map((state) => ({
        typeUrl: state.typeUrl,
        isWildcard: state.isWildcard,
        names: state.names,
        sent: state.sent,
        sentNonce: state.nonce,
        ackedNonce: state.ackedNonce,
        error: state.error,
        state: stateName(state),
      })),
  };
}

function stateName(state: TypeState): TypeStatus["state"] {
  if (state.nonce === "" && state.sent.size === 0) return "NOT SENT";
  return state.isWaiting || state.error !== undefined || state.nonce !== state.ackedNonce ? "STALE" : "SYNCED";
}

function newTypeState(typeUrl: string): TypeState {
  return {
    typeUrl,
    isWildcard: false,
    names: new Set(),
    sent: new Map(),
    due: new Set(),
    isDirty: false,
    owesAnswer: false,
    holdsRemovals: false,
    isWaiting: false,
    nonce: "",
    ackedNonce: "",
    setVersion: "",
    error: undefined,
  };
}

/** What the client lacks. `current` is everything that exists (only filled when asked for), `all` every name with its version. */
export function compare(state: TypeState, lookup: ResourceLookup, needsCurrent = false) {
  const found = new Map(lookupAll(state, lookup));
  const upserts: DeltaResource[] = [];
  const current: DeltaResource[] = [];
  const all = new Map<string, string>();
  for (const [name, resource] of found) {
    if (resource === "unavailable") {
      const kept = state.sent.get(name);
      if (kept !== undefined) all.set(name, kept);
      continue;
    }
    all.set(name, resource.version);
    const isNews = state.sent.get(name) !== resource.version || state.due.has(name);
    if (!isNews && !needsCurrent) continue;
    const packed = { name, version: resource.version, resource: { typeUrl: state.typeUrl, value: resource.value } };
    if (isNews) upserts.push(packed);
    if (needsCurrent) current.push(packed);
  }
  const removals = [...state.sent.keys(), ...[...state.due].filter((name) => !state.sent.has(name))].filter(
    (name) => !found.has(name),
  );
  return { upserts, removals, current, all };
}

function* lookupAll(
  state: TypeState,
  lookup: ResourceLookup,
): Iterable<readonly [string, VersionedResource | "unavailable"]> {
  if (state.isWildcard) yield* lookup(state.typeUrl, "*");
  if (state.names.size > 0) yield* lookup(state.typeUrl, state.names);
}
