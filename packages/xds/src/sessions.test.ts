// Both sides of the protocol against each other: whatever the order of changes, subscriptions, refusals and reconnects, the client
// ends up with exactly what exists and it wants.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ClientSession,
  createDeltaClientSession,
  createSotwClientSession,
  type RejectedName,
  type ResourceUpdate,
} from "./client-session.ts";
import { createDeltaServerSession, createSotwServerSession, type ServerSession } from "./server-session.ts";
import type { ResourceLookup, VersionedResource } from "./server-stream.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "./type-urls.ts";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "./types/discovery.ts";

const NAMES = ["a", "b", "c", "d"];
const TYPES = [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE];
const isNamed = (typeUrl: string) => typeUrl === ENDPOINT_TYPE || typeUrl === ROUTE_TYPE;

type Step =
  | { readonly do: "set"; readonly type: string; readonly name: string; readonly version: string }
  | { readonly do: "remove" | "want" | "unwant"; readonly type: string; readonly name: string }
  | { readonly do: "deliver"; readonly count: number }
  | { readonly do: "reconnect" };

const type = fc.constantFrom(...TYPES);
const name = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("set" as const), type, name, version: fc.constantFrom("1", "2", "3", "reject") }),
  fc.record({ do: fc.constantFrom("remove" as const, "want" as const, "unwant" as const), type, name }),
  fc.record({ do: fc.constant("deliver" as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.constant({ do: "reconnect" as const }),
);

/** Runs the steps with messages in flight both ways and answers what the client applied, and what it should have. */
function run<Q, R>(
  steps: readonly Step[],
  makeClient: (wanted: (typeUrl: string) => "*" | ReadonlySet<string>) => ClientSession<Q, R>,
  makeServer: (id: string) => ServerSession<Q, R>,
) {
  const world = new Map(TYPES.map((t) => [t, new Map<string, string>()]));
  const wanted = new Map(TYPES.map((t) => [t, new Set<string>()]));
  const applied = new Map(TYPES.map((t) => [t, new Map<string, string>()]));
  const lookup: ResourceLookup = (typeUrl, names) => {
    const found = new Map<string, VersionedResource>();
    for (const [n, version] of world.get(typeUrl) ?? []) {
      if (names === "*" || names.has(n)) found.set(n, { version, value: Buffer.from(`${n}@${version}`) });
    }
    return found;
  };
  const client = makeClient((t) => (isNamed(t) ? (wanted.get(t) ?? new Set()) : "*"));
  let streams = 0;
  let server = makeServer("0");
  let toServer: Q[] = [...client.open()];
  let toClient: R[] = [];
  let pushed = 0;

  const apply = (update: ResourceUpdate): RejectedName[] => {
    const store = applied.get(update.typeUrl) ?? new Map();
    const rejected: RejectedName[] = [];
    for (const { name: n, resource } of update.upserts) {
      const version = String(Buffer.from(resource.value)).split("@")[1] ?? "";
      if (version === "reject") rejected.push({ name: n, message: "no" });
      else store.set(n, version);
    }
    for (const n of update.removals) store.delete(n);
    return rejected;
  };
  const deliverOne = (): boolean => {
    const request = toServer.shift();
    if (request !== undefined) {
      server.receive(request);
      return true;
    }
    const responses = server.flush(lookup);
    toClient.push(...responses);
    pushed += responses.length;
    const response = toClient.shift();
    if (response === undefined) return false;
    const update = client.receive(response);
    toServer.push(...client.settle(update, apply(update)));
    return true;
  };
  for (const s of steps) {
    if (s.do === "set") {
      world.get(s.type)?.set(s.name, s.version);
      server.markChanged([s.type]);
    } else if (s.do === "remove") {
      world.get(s.type)?.delete(s.name);
      server.markChanged([s.type]);
    } else if (s.do === "want" || s.do === "unwant") {
      if (!isNamed(s.type)) continue;
      if (s.do === "want") wanted.get(s.type)?.add(s.name);
      else {
        wanted.get(s.type)?.delete(s.name);
        applied.get(s.type)?.delete(s.name);
      }
      toServer.push(...client.wantedChanged(s.type));
    } else if (s.do === "deliver") for (let i = 0; i < s.count; i++) deliverOne();
    else {
      server = makeServer(String(++streams));
      toClient = [];
      toServer = [...client.open()];
    }
  }
  let rounds = 0;
  while (deliverOne()) assert.ok(++rounds < 500, "the two sides never come to rest");
  const before = pushed;
  server = makeServer("again");
  toServer = [...client.open()];
  while (deliverOne()) assert.ok(++rounds < 500, "the two sides never come to rest");
  return { world, wanted, applied, pushedAgain: pushed - before };
}

function check(typeUrl: string, result: ReturnType<typeof run>, canRemoveNamed: boolean) {
  const exists = result.world.get(typeUrl) ?? new Map<string, string>();
  const has = result.applied.get(typeUrl) ?? new Map<string, string>();
  const wants = (n: string) => !isNamed(typeUrl) || result.wanted.get(typeUrl)?.has(n) === true;
  for (const n of NAMES) {
    const version = exists.get(n);
    if (version === "reject") continue;
    if (version === undefined && isNamed(typeUrl) && !canRemoveNamed) continue;
    assert.equal(has.get(n), wants(n) ? version : undefined, `${typeUrl} ${n}`);
  }
}

function checkSotw(steps: readonly Step[]): void {
  const nameOf = (resource: { readonly value: Uint8Array }) => String(Buffer.from(resource.value)).split("@")[0] ?? "";
  const result = run(
    steps,
    (wanted) => createSotwClientSession({ node: { id: "n" }, types: TYPES, wanted, nameOf }),
    (id) => createSotwServerSession(id, (text) => text),
  );
  for (const t of TYPES) check(t, result, false);
}

test("delta: client and server agree after any history, and nothing is sent again after a last reconnect", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const result = run<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
        steps,
        (wanted) => createDeltaClientSession({ node: { id: "n" }, types: TYPES, wanted }),
        createDeltaServerSession,
      );
      for (const t of TYPES) check(t, result, true);
      const exists = [...result.world.values()].flatMap((names) => [...names.values()]);
      const isComplete = TYPES.every((t) => {
        const names = result.world.get(t)?.size ?? 0;
        return isNamed(t) ? [...(result.wanted.get(t) ?? [])].every((n) => result.world.get(t)?.has(n)) : names > 0;
      });
      if (!exists.includes("reject") && isComplete) assert.equal(result.pushedAgain, 0);
    }),
    { numRuns: 300 },
  );
});

test("state of the world: client and server agree after any history", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      checkSotw(steps);
    }),
    { numRuns: 300 },
  );
});

// Found by the property above, or by reasoning from what it found.
const sotwHistories: readonly { readonly name: string; readonly steps: readonly Step[] }[] = [
  {
    name: "a set that is empty again after a first response that was refused in part",
    steps: [
      { do: "set", type: LISTENER_TYPE, name: "a", version: "reject" },
      { do: "set", type: LISTENER_TYPE, name: "b", version: "1" },
      { do: "deliver", count: 3 },
      { do: "remove", type: LISTENER_TYPE, name: "b" },
      { do: "remove", type: LISTENER_TYPE, name: "a" },
      { do: "reconnect" },
    ],
  },
  {
    name: "a set that is the accepted one again after a response that was refused in part",
    steps: [
      { do: "set", type: LISTENER_TYPE, name: "a", version: "1" },
      { do: "deliver", count: 3 },
      { do: "deliver", count: 3 },
      { do: "set", type: LISTENER_TYPE, name: "a", version: "reject" },
      { do: "set", type: LISTENER_TYPE, name: "b", version: "1" },
      { do: "deliver", count: 3 },
      { do: "set", type: LISTENER_TYPE, name: "a", version: "1" },
      { do: "remove", type: LISTENER_TYPE, name: "b" },
      { do: "reconnect" },
    ],
  },
];
for (const { name, steps } of sotwHistories) {
  test(`state of the world, after a reconnect: ${name}`, () => checkSotw(steps));
}

test("delta client: the node goes with the first request of a stream only, types in push order, versions with them", () => {
  const wanted = new Map<string, Set<string>>([[ENDPOINT_TYPE, new Set(["e"])]]);
  const client = createDeltaClientSession({
    node: { id: "n" },
    types: [ROUTE_TYPE, LISTENER_TYPE, ENDPOINT_TYPE, CLUSTER_TYPE],
    wanted: (t) => (isNamed(t) ? (wanted.get(t) ?? new Set()) : "*"),
  });
  const first = client.open();
  assert.deepEqual(
    first.map((r) => [r.typeUrl, r.subscribe, r.node?.id]),
    [
      [CLUSTER_TYPE, [], "n"],
      [ENDPOINT_TYPE, ["e"], undefined],
      [LISTENER_TYPE, [], undefined],
    ],
  );
  const update = client.receive({
    typeUrl: CLUSTER_TYPE,
    nonce: "1",
    systemVersionInfo: "",
    removedResources: [],
    resources: [
      { name: "good", version: "v1", resource: { typeUrl: CLUSTER_TYPE, value: new Uint8Array() } },
      { name: "bad", version: "v1", resource: { typeUrl: CLUSTER_TYPE, value: new Uint8Array() } },
    ],
  });
  const [nack] = client.settle(update, [{ name: "bad", message: "no such policy" }]);
  assert.equal(nack?.responseNonce, "1");
  assert.deepEqual(nack?.errorDetail, { code: 3, message: "bad: no such policy" });
  const [again] = client.open();
  assert.deepEqual([...(again?.initialResourceVersions ?? [])], [["good", "v1"]]);
  assert.equal(again?.node?.id, "n");
});
