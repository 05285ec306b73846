/**
 * The client side of one ADS conversation, incremental (Delta) and state-of-the-world, without I/O. The owner tells it what is wanted,
 * what arrived and what was thought of it, and sends the requests that it returns, in that order.
 *
 *   open()            new stream: first request of each wanted type, CDS → EDS → SDS → LDS → RDS, with the versions that are held
 *   receive(response) → what to apply
 *   settle(update, …) ACK, or NACK with every rejected resource; good resources of a rejected response count as held, as in Envoy
 *   wantedChanged(t)  subscribe and unsubscribe
 *
 * Invariant: `held` is exactly what the owner accepted and still wants; it survives streams, so a reconnect fetches only differences.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
 */

import { PUSH_ORDER, WILDCARD_TYPES } from "./type-urls.ts";
import type { Node } from "./types/core.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DeltaResource,
  DiscoveryRequest,
  DiscoveryResponse,
  PackedResource,
} from "./types/discovery.ts";

export type WantedNames = "*" | ReadonlySet<string>;

export interface ResourceUpdate {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  readonly upserts: readonly DeltaResource[];
  readonly removals: readonly string[];
}

export interface RejectedName {
  readonly name: string;
  readonly message: string;
}

export interface ClientSession<Request, Response> {
  open(): readonly Request[];
  wantedChanged(typeUrl: string): readonly Request[];
  receive(response: Response): ResourceUpdate;
  settle(update: ResourceUpdate, rejected: readonly RejectedName[]): readonly Request[];
  /** Names and versions that are held, for status pages. */
  held(typeUrl: string): ReadonlyMap<string, string>;
}

export interface ClientSessionOptions {
  readonly node: Node;
  readonly types: readonly string[];
  readonly wanted: (typeUrl: string) => WantedNames;
  /** What the owner holds already, name → version by type: kept from an earlier session. */
  readonly held?: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

interface TypeState {
  readonly held: Map<string, string>;
  /** Undefined until the first request on this stream. */
  asked: WantedNames | undefined;
  version: string;
  nonce: string;
  /** State of the world: a refused response changed `held` in part, so `version` no longer names it. */
  isMixed: boolean;
}

const NO_NAMES: ReadonlySet<string> = new Set();
/** google.rpc.Code.INVALID_ARGUMENT */
const INVALID_ARGUMENT = 3;

export function createDeltaClientSession(
  options: ClientSessionOptions,
): ClientSession<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const { states, stateOf } = createStates(options);
  let nodeSent = false;

  const request = (typeUrl: string, fields: Partial<DeltaDiscoveryRequest>): DeltaDiscoveryRequest => {
    const withNode = nodeSent ? {} : { node: options.node };
    nodeSent = true;
    return {
      typeUrl,
      subscribe: [],
      unsubscribe: [],
      initialResourceVersions: new Map(),
      responseNonce: "",
      ...withNode,
      ...fields,
    };
  };

  const wantedChanged = (typeUrl: string): readonly DeltaDiscoveryRequest[] => {
    const state = stateOf(typeUrl);
    const wanted = snapshot(options.wanted(typeUrl));
    const asked = state.asked;
    forgetUnwanted(state, wanted);
    if (asked === undefined) {
      if (wanted !== "*" && wanted.size === 0) return [];
      state.asked = wanted;
      const subscribe = wanted === "*" ? wildcardNames(typeUrl) : [...wanted];
      return [request(typeUrl, { subscribe, initialResourceVersions: new Map(state.held) })];
    }
    const before = namesOf(asked);
    const after = namesOf(wanted);
    const subscribe = [...after].filter((name) => !before.has(name));
    const unsubscribe = [...before].filter((name) => !after.has(name));
    state.asked = wanted;
    return subscribe.length + unsubscribe.length === 0 ? [] : [request(typeUrl, { subscribe, unsubscribe })];
  };

  return {
    held: (typeUrl) => stateOf(typeUrl).held,
    wantedChanged,
    open() {
      nodeSent = false;
      for (const state of states.values()) state.asked = undefined;
      return inPushOrder(options.types).flatMap(wantedChanged);
    },
    receive(response) {
      const wanted = stateOf(response.typeUrl).asked ?? NO_NAMES;
      return {
        typeUrl: response.typeUrl,
        nonce: response.nonce,
        version: response.systemVersionInfo,
        upserts: response.resources.filter(({ name }) => isWanted(wanted, name)),
        removals: response.removedResources.filter((name) => isWanted(wanted, name)),
      };
    },
    settle(update, rejected) {
      const state = stateOf(update.typeUrl);
      recordHeld(state, update, rejected);
      return [request(update.typeUrl, { responseNonce: update.nonce, ...nackOf(rejected) })];
    },
  };
}

/** `nameOf` reads the name out of a packed resource: state-of-the-world responses do not carry it beside the resource. */
export function createSotwClientSession(
  options: ClientSessionOptions & { readonly nameOf: (resource: PackedResource) => string },
): ClientSession<DiscoveryRequest, DiscoveryResponse> {
  const { states, stateOf } = createStates(options);
  let nodeSent = false;

  const request = (typeUrl: string, state: TypeState, fields: Partial<DiscoveryRequest>): DiscoveryRequest => {
    const withNode = nodeSent ? {} : { node: options.node };
    nodeSent = true;
    return {
      typeUrl,
      versionInfo: state.version,
      resourceNames: state.asked === "*" || state.asked === undefined ? [] : [...state.asked],
      responseNonce: state.nonce,
      ...withNode,
      ...fields,
    };
  };

  const wantedChanged = (typeUrl: string): readonly DiscoveryRequest[] => {
    const state = stateOf(typeUrl);
    const wanted = snapshot(options.wanted(typeUrl));
    forgetUnwanted(state, wanted);
    if (state.asked === undefined && wanted !== "*" && wanted.size === 0) return [];
    if (state.asked !== undefined && sameNames(state.asked, wanted)) return [];
    state.asked = wanted;
    return [request(typeUrl, state, {})];
  };

  return {
    held: (typeUrl) => stateOf(typeUrl).held,
    wantedChanged,
    open() {
      nodeSent = false;
      for (const state of states.values()) {
        state.asked = undefined;
        state.nonce = "";
        // A server may say nothing to a client that brings the current version along: only a set that is held whole may be named.
        if (state.isMixed) state.version = "";
      }
      return inPushOrder(options.types).flatMap(wantedChanged);
    },
    receive(response) {
      const state = stateOf(response.typeUrl);
      state.nonce = response.nonce;
      const wanted = state.asked ?? NO_NAMES;
      const upserts = response.resources
        .map((resource) => ({ name: options.nameOf(resource), version: response.versionInfo, resource }))
        .filter(({ name }) => isWanted(wanted, name));
      const present = new Set(upserts.map(({ name }) => name));
      const isComplete = WILDCARD_TYPES.has(response.typeUrl);
      const removals = isComplete ? [...state.held.keys()].filter((name) => !present.has(name)) : [];
      return { typeUrl: response.typeUrl, nonce: response.nonce, version: response.versionInfo, upserts, removals };
    },
    settle(update, rejected) {
      const state = stateOf(update.typeUrl);
      recordHeld(state, update, rejected);
      state.isMixed = rejected.length > 0;
      if (rejected.length === 0) state.version = update.version;
      return [request(update.typeUrl, state, { responseNonce: update.nonce, ...nackOf(rejected) })];
    },
  };
}

function createStates(options: ClientSessionOptions) {
  const states = new Map<string, TypeState>();
  const stateOf = (typeUrl: string): TypeState => {
    let state = states.get(typeUrl);
    if (state === undefined) {
      state = { held: new Map(options.held?.get(typeUrl)), asked: undefined, version: "", nonce: "", isMixed: false };
      states.set(typeUrl, state);
    }
    return state;
  };
  for (const typeUrl of options.types) stateOf(typeUrl);
  return { states, stateOf };
}

function recordHeld(state: TypeState, update: ResourceUpdate, rejected: readonly RejectedName[]): void {
  const bad = new Set(rejected.map(({ name }) => name));
  for (const { name, version } of update.upserts) if (!bad.has(name)) state.held.set(name, version);
  for (const name of update.removals) if (!bad.has(name)) state.held.delete(name);
  forgetUnwanted(state, state.asked ?? NO_NAMES);
}

function forgetUnwanted(state: TypeState, wanted: WantedNames): void {
  if (wanted === "*") return;
  for (const name of state.held.keys()) if (!wanted.has(name)) state.held.delete(name);
}

function nackOf(rejected: readonly RejectedName[]) {
  if (rejected.length === 0) return {};
  const message = rejected.map(({ name, message }) => `${name}: ${message}`).join("; ");
  return { errorDetail: { code: INVALID_ARGUMENT, message } };
}

/** Both spellings of "everything": the empty first request where the protocol has it, `*` elsewhere. */
function wildcardNames(typeUrl: string): readonly string[] {
  return WILDCARD_TYPES.has(typeUrl) ? [] : ["*"];
}

function namesOf(wanted: WantedNames): ReadonlySet<string> {
  return wanted === "*" ? new Set(["*"]) : wanted;
}

function snapshot(wanted: WantedNames): WantedNames {
  return wanted === "*" ? "*" : new Set(wanted);
}

function sameNames(a: WantedNames, b: WantedNames): boolean {
  if (a === "*" || b === "*") return a === b;
  return a.size === b.size && [...a].every((name) => b.has(name));
}

function isWanted(wanted: WantedNames, name: string): boolean {
  return wanted === "*" || wanted.has(name);
}

function inPushOrder(types: readonly string[]): readonly string[] {
  const known = PUSH_ORDER.filter((typeUrl) => types.includes(typeUrl));
  return [...known, ...types.filter((typeUrl) => !PUSH_ORDER.includes(typeUrl))];
}
