/**
 * The sidecar's Delta ADS stream: opens it, feeds the session and the sink, and opens it again with back-off when it ends. The
 * configuration in force stays as it is meanwhile; what is held goes along as initial_resource_versions.
 */
import {
  type BackoffPolicy,
  backoffDelay,
  type Clock,
  describeError,
  formatProblems,
  type Logger,
  type Timer,
} from "@argyle/core";
import {
  type ClientSession,
  createDeltaClientSession,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type Node,
  openDeltaStream,
  shortTypeName,
  type WantedNames,
  type XdsWire,
} from "@argyle/xds";
import type { RejectedResource, ResourceSink, ResourceUpsert } from "../resource-sink.ts";
import type { DecodedResources } from "./decoded-resources.ts";
import type { HeldState } from "./held-state.ts";
import type { Call } from "./istiod.ts";

export interface TypeProgress {
  /** Resources accepted. */
  readonly held: number;
  readonly responses: number;
  /** Why the last response was refused; undefined when it was not. */
  readonly rejection: string | undefined;
}

export interface AdsClient {
  isConnected(): boolean;
  types(): ReadonlyMap<string, TypeProgress>;
  lastError(): string | undefined;
  close(): void;
}

export interface AdsClientOptions {
  readonly node: Node;
  readonly types: readonly string[];
  readonly sink: ResourceSink;
  /** What to ask istiod for: the sink's wishes without those that are served locally. */
  readonly wanted: (typeUrl: string) => WantedNames;
  readonly call: () => Promise<Call>;
  readonly wire: XdsWire;
  readonly decoded: DecodedResources;
  readonly held: HeldState;
  /** Resources in force from before, by type: what the sink took of them. */
  readonly restored: ReadonlyMap<string, readonly ResourceUpsert[]>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly onApplied: (typeUrl: string) => void;
}

const BACKOFF: BackoffPolicy = { baseMs: 50, maxMs: 5_000 };

interface OpenStream {
  send(requests: readonly DeltaDiscoveryRequest[]): void;
  end(): void;
}

export function createAdsClient(options: AdsClientOptions): AdsClient {
  const { clock, log, sink } = options;
  const inForce = new Map(
    [...options.restored].map(([typeUrl, list]) => [typeUrl, new Map(list.map((upsert) => [upsert.name, upsert]))]),
  );
  const session: ClientSession<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = createDeltaClientSession({
    ...options,
    held: new Map([...inForce].map(([typeUrl, named]) => [typeUrl, versionsOf(named)])),
  });
  const progress = new Map<string, TypeProgress>();
  const changedTypes = new Set<string>();
  let stream: OpenStream | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  let lastError: string | undefined;
  let isClosed = false;

  const sendWanted = () => {
    const types = [...changedTypes];
    changedTypes.clear();
    for (const typeUrl of types) stream?.send(session.wantedChanged(typeUrl));
  };
  sink.onWantedChange((typeUrl) => {
    if (isClosed || !options.types.includes(typeUrl)) return;
    // Many clusters of one response wish for many endpoints: one request for all of them.
    if (changedTypes.size === 0) queueMicrotask(sendWanted);
    changedTypes.add(typeUrl);
  });

  const keep = (typeUrl: string) => {
    options.held.keepResources(typeUrl, () => {
      const named = inForce.get(typeUrl) ?? new Map<string, ResourceUpsert>();
      const held = session.held(typeUrl);
      for (const name of named.keys()) if (!held.has(name)) named.delete(name);
      return named.values();
    });
  };
  for (const typeUrl of inForce.keys()) keep(typeUrl);

  const apply = (response: DeltaDiscoveryResponse): readonly DeltaDiscoveryRequest[] => {
    const { typeUrl } = response;
    const update = session.receive(response);
    const rejected: RejectedResource[] = [];
    const upserts: ResourceUpsert[] = [];
    for (const { name, version, resource } of update.upserts) {
      const decoded = options.decoded.decode(resource);
      if (decoded.ok) upserts.push({ name, version, resource: decoded.value });
      else rejected.push({ name, message: formatProblems(decoded.error) });
    }
    try {
      rejected.push(...sink.apply(typeUrl, upserts, update.removals));
    } catch (error) {
      // A defect of ours must not end the stream: it would come again with every reconnect. It is refused, and said aloud.
      const message = `internal error: ${describeError(error)}`;
      log.error("configuration could not be applied", { type: shortTypeName(typeUrl), error: describeError(error) });
      rejected.push(...update.upserts.map(({ name }) => ({ name, message })));
    }
    const rejection = rejected.length === 0 ? undefined : rejected.map((r) => `${r.name}: ${r.message}`).join("; ");
    if (rejection !== undefined) log.warn("configuration rejected", { type: shortTypeName(typeUrl), rejection });
    const answer = session.settle(update, rejected);
    updateInForce(inForce, typeUrl, upserts, update.removals, rejected);
    keep(typeUrl);
    const responses = (progress.get(typeUrl)?.responses ?? 0) + 1;
    progress.set(typeUrl, { held: session.held(typeUrl).size, responses, rejection });
    options.onApplied(typeUrl);
    return answer;
  };

  const open = async () => {
    timer = undefined;
    let call: Call;
    try {
      call = await options.call();
    } catch (error) {
      retry(describeError(error));
      return;
    }
    if (isClosed) {
      call.channel.release();
      return;
    }
    const duplex = openDeltaStream(call.channel.client, options.wire, call.metadata);
    let isOver = false;
    const finish = (reason: string) => {
      if (isOver) return;
      isOver = true;
      stream = undefined;
      call.channel.release();
      if (!isClosed) retry(reason);
    };
    stream = {
      send: (requests) => {
        for (const request of requests) duplex.write(request);
      },
      end() {
        isOver = true;
        call.channel.release();
        duplex.cancel();
      },
    };
    duplex.on("data", (response: DeltaDiscoveryResponse) => {
      if (isOver) return;
      failures = 0;
      lastError = undefined;
      stream?.send(apply(response));
    });
    duplex.on("error", (error: Error) => finish(error.message));
    duplex.on("end", () => finish("istiod ended the stream"));
    stream.send(session.open());
  };

  const retry = (reason: string) => {
    if (isClosed) return;
    lastError = reason;
    const retryInMs = backoffDelay(BACKOFF, failures++, options.random);
    log.warn("ADS stream to istiod ended", { reason, retryInMs: Math.round(retryInMs) });
    timer = clock.after(retryInMs, () => void open(), { unref: true });
  };

  void open();
  return {
    isConnected: () => stream !== undefined && lastError === undefined,
    types: () => progress,
    lastError: () => lastError,
    close() {
      isClosed = true;
      timer?.cancel();
      stream?.end();
      stream = undefined;
    },
  };
}

function versionsOf(named: ReadonlyMap<string, ResourceUpsert>): ReadonlyMap<string, string> {
  return new Map([...named].map(([name, { version }]) => [name, version]));
}

function updateInForce(
  inForce: Map<string, Map<string, ResourceUpsert>>,
  typeUrl: string,
  upserts: readonly ResourceUpsert[],
  removals: readonly string[],
  rejected: readonly RejectedResource[],
): void {
  let named = inForce.get(typeUrl);
  if (named === undefined) {
    named = new Map();
    inForce.set(typeUrl, named);
  }
  const bad = new Set(rejected.map(({ name }) => name));
  for (const upsert of upserts) if (!bad.has(upsert.name)) named.set(upsert.name, upsert);
  for (const name of removals) if (!bad.has(name)) named.delete(name);
}
