import assert from "node:assert/strict";
import { test } from "node:test";
import { createDeltaServerSession, createSotwServerSession } from "./server-session.ts";
import type { ResourceLookup, VersionedResource } from "./server-stream.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, shortTypeName } from "./type-urls.ts";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest } from "./types/discovery.ts";

type World = Record<string, Record<string, string>>;

/** A world of short type name → resource name → version; the lookup reads it as it is at that moment. */
function lookupIn(world: World): ResourceLookup {
  return (typeUrl, names) => {
    const found = new Map<string, VersionedResource | "unavailable">();
    for (const [name, version] of Object.entries(world[shortTypeName(typeUrl)] ?? {})) {
      if (names !== "*" && !names.has(name)) continue;
      found.set(name, version === "bad" ? "unavailable" : { version, value: Buffer.from(version) });
    }
    return found;
  };
}

const delta = (typeUrl: string, fields: Partial<DeltaDiscoveryRequest> = {}): DeltaDiscoveryRequest => ({
  typeUrl,
  subscribe: [],
  unsubscribe: [],
  initialResourceVersions: new Map(),
  responseNonce: "",
  ...fields,
});

/** `cds +a@1 -b` */
function show(responses: readonly DeltaDiscoveryResponse[]): string[] {
  return responses.map(({ typeUrl, resources, removedResources }) =>
    [
      shortTypeName(typeUrl),
      ...resources.map(({ name, version }) => `+${name}@${version}`),
      ...removedResources.map((name) => `-${name}`),
    ].join(" "),
  );
}

function startDelta(world: World) {
  const session = createDeltaServerSession("s");
  const lookup = lookupIn(world);
  let last: readonly DeltaDiscoveryResponse[] = [];
  return {
    session,
    flush() {
      last = session.flush(lookup);
      return show(last);
    },
    subscribe(typeUrl: string, fields: Partial<DeltaDiscoveryRequest> = {}) {
      return session.receive(delta(typeUrl, fields));
    },
    ack(typeUrl: string, message?: string) {
      const nonce = session.status().find((s) => s.typeUrl === typeUrl)?.sentNonce ?? "";
      const error = message === undefined ? {} : { errorDetail: { code: 3, message } };
      return session.receive(delta(typeUrl, { responseNonce: nonce, ...error }));
    },
    change(...types: string[]) {
      session.markChanged(types);
    },
    state: (typeUrl: string) => session.status().find((s) => s.typeUrl === typeUrl),
  };
}

test("answers types in make-before-break order whatever order they were asked in", () => {
  const s = startDelta({ cds: { a: "1" }, eds: { a: "1" }, lds: { l: "1" }, rds: { r: "1" } });
  s.subscribe(ROUTE_TYPE, { subscribe: ["r"] });
  s.subscribe(LISTENER_TYPE);
  s.subscribe(ENDPOINT_TYPE, { subscribe: ["a"] });
  s.subscribe(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds +a@1", "eds +a@1", "lds +l@1", "rds +r@1"]);
});

test("sends only what changed", () => {
  const world = { cds: { a: "1", b: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.flush();
  s.ack(CLUSTER_TYPE);
  world.cds.b = "2";
  s.change(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds +b@2"]);
  s.ack(CLUSTER_TYPE);
  s.change(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), []);
});

test("merges changes while an answer is awaited and sends them after it", () => {
  const world: World = { cds: { a: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.flush();
  for (const version of ["2", "3"]) {
    world.cds = { a: version };
    s.change(CLUSTER_TYPE);
    assert.deepEqual(s.flush(), []);
  }
  s.ack(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds +a@3"]);
});

test("owes an empty wildcard an answer, once", () => {
  const s = startDelta({});
  s.subscribe(LISTENER_TYPE);
  assert.deepEqual(s.flush(), ["lds"]);
  s.ack(LISTENER_TYPE);
  assert.deepEqual(s.flush(), []);
});

test("says that a named resource does not exist, and sends it when it does", () => {
  const world: World = {};
  const s = startDelta(world);
  s.subscribe(ENDPOINT_TYPE, { subscribe: ["a"] });
  assert.deepEqual(s.flush(), ["eds -a"]);
  s.ack(ENDPOINT_TYPE);
  world.eds = { a: "1" };
  s.change(ENDPOINT_TYPE);
  assert.deepEqual(s.flush(), ["eds +a@1"]);
});

test("sends a name again that is subscribed again, and nothing for one that is unsubscribed", () => {
  const world: World = { rds: { a: "1", b: "1" } };
  const s = startDelta(world);
  s.subscribe(ROUTE_TYPE, { subscribe: ["a", "b"] });
  s.flush();
  s.ack(ROUTE_TYPE);
  s.subscribe(ROUTE_TYPE, { subscribe: ["a"], unsubscribe: ["b"] });
  world.rds = { a: "1", b: "2" };
  s.change(ROUTE_TYPE);
  assert.deepEqual(s.flush(), ["rds +a@1"]);
});

test("sends nothing after a reconnect when the client has everything", () => {
  const s = startDelta({ cds: { a: "1" }, rds: { r: "1" } });
  s.subscribe(CLUSTER_TYPE, { initialResourceVersions: new Map([["a", "1"]]) });
  s.subscribe(ROUTE_TYPE, { subscribe: ["r"], initialResourceVersions: new Map([["r", "1"]]) });
  assert.deepEqual(s.flush(), []);
  assert.equal(s.state(CLUSTER_TYPE)?.state, "SYNCED");
});

test("sends only the difference after a reconnect", () => {
  const s = startDelta({ cds: { a: "1", b: "2" } });
  const held = new Map([
    ["a", "1"],
    ["b", "1"],
    ["gone", "1"],
  ]);
  s.subscribe(CLUSTER_TYPE, { initialResourceVersions: held });
  assert.deepEqual(s.flush(), ["cds +b@2 -gone"]);
});

test("removes a cluster only after the routes that left it are on their way", () => {
  const world: World = { cds: { a: "1", b: "1" }, rds: { r: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.subscribe(ROUTE_TYPE, { subscribe: ["r"] });
  s.flush();
  s.ack(CLUSTER_TYPE);
  s.ack(ROUTE_TYPE);
  world.cds = { a: "1", c: "1" };
  world.rds = { r: "2" };
  s.change(CLUSTER_TYPE, ROUTE_TYPE);
  assert.deepEqual(s.flush(), ["cds +c@1", "rds +r@2"]);
  s.ack(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds -b"]);
});

test("removes a cluster in the same flush, after the routes, when it has nothing else to say", () => {
  const world: World = { cds: { a: "1", b: "1" }, rds: { r: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.subscribe(ROUTE_TYPE, { subscribe: ["r"] });
  s.flush();
  s.ack(CLUSTER_TYPE);
  s.ack(ROUTE_TYPE);
  world.cds = { a: "1" };
  world.rds = { r: "2" };
  s.change(CLUSTER_TYPE, ROUTE_TYPE);
  assert.deepEqual(s.flush(), ["rds +r@2", "cds -b"]);
});

test("keeps routes back while clusters wait for an answer with news unsent", () => {
  const world: World = { cds: { a: "1" }, rds: { r: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.subscribe(ROUTE_TYPE, { subscribe: ["r"] });
  s.flush();
  s.ack(ROUTE_TYPE);
  world.cds = { a: "1", b: "1" };
  world.rds = { r: "2" };
  s.change(CLUSTER_TYPE, ROUTE_TYPE);
  assert.deepEqual(s.flush(), []);
  s.ack(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds +b@1", "rds +r@2"]);
});

test("shows a refusal until the next acceptance and does not repeat what was refused", () => {
  const world: World = { lds: { l: "1" } };
  const s = startDelta(world);
  s.subscribe(LISTENER_TYPE);
  s.flush();
  assert.equal(s.state(LISTENER_TYPE)?.state, "STALE");
  assert.deepEqual(s.ack(LISTENER_TYPE, "l: no"), { kind: "nacked", error: { code: 3, message: "l: no" } });
  s.change(LISTENER_TYPE);
  assert.deepEqual(s.flush(), []);
  assert.equal(s.state(LISTENER_TYPE)?.error, "l: no");
  world.lds = { l: "2" };
  s.change(LISTENER_TYPE);
  assert.deepEqual(s.flush(), ["lds +l@2"]);
  s.ack(LISTENER_TYPE);
  assert.equal(s.state(LISTENER_TYPE)?.state, "SYNCED");
  assert.equal(s.state(LISTENER_TYPE)?.error, undefined);
});

test("leaves alone what exists but cannot be sent", () => {
  const world: World = { cds: { a: "1", b: "1" } };
  const s = startDelta(world);
  s.subscribe(CLUSTER_TYPE);
  s.flush();
  s.ack(CLUSTER_TYPE);
  world.cds = { a: "bad", b: "2" };
  s.change(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds +b@2"]);
});

test("ignores an answer to an older response", () => {
  const s = startDelta({ lds: { l: "1" } });
  s.subscribe(LISTENER_TYPE);
  s.flush();
  assert.deepEqual(s.session.receive(delta(LISTENER_TYPE, { responseNonce: "old" })), { kind: "stale" });
  assert.equal(s.state(LISTENER_TYPE)?.state, "STALE");
});

const sotw = (typeUrl: string, fields: Partial<DiscoveryRequest> = {}): DiscoveryRequest => ({
  typeUrl,
  versionInfo: "",
  resourceNames: [],
  responseNonce: "",
  ...fields,
});
const hash = (text: string) => `h(${text.replaceAll("\n", ",")})`;

function startSotw(world: World) {
  const session = createSotwServerSession("s", hash);
  const lookup = lookupIn(world);
  return {
    session,
    flush: () =>
      session
        .flush(lookup)
        .map((r) => `${shortTypeName(r.typeUrl)} ${r.versionInfo} [${r.resources.map((x) => String(x.value)).join()}]`),
    send: (typeUrl: string, fields: Partial<DiscoveryRequest> = {}) => session.receive(sotw(typeUrl, fields)),
    ack(typeUrl: string, resourceNames: string[] = []) {
      const nonce = session.status().find((s) => s.typeUrl === typeUrl)?.sentNonce ?? "";
      return session.receive(sotw(typeUrl, { responseNonce: nonce, resourceNames }));
    },
  };
}

test("state of the world: sends the whole set of clusters when one changed or went", () => {
  const world: World = { cds: { a: "1", b: "1" } };
  const s = startSotw(world);
  s.send(CLUSTER_TYPE);
  assert.deepEqual(s.flush(), ["cds h(a=1,b=1) [1,1]"]);
  s.ack(CLUSTER_TYPE);
  world.cds = { a: "2", b: "1" };
  s.session.markChanged([CLUSTER_TYPE]);
  assert.deepEqual(s.flush(), ["cds h(a=2,b=1) [2,1]"]);
  s.ack(CLUSTER_TYPE);
  world.cds = { a: "2" };
  s.session.markChanged([CLUSTER_TYPE]);
  assert.deepEqual(s.flush(), ["cds h(a=2) [2]"]);
  s.ack(CLUSTER_TYPE);
  s.session.markChanged([CLUSTER_TYPE]);
  assert.deepEqual(s.flush(), []);
});

test("state of the world: a listener that does not exist is an empty answer; an endpoint that does not exist is none", () => {
  const s = startSotw({});
  s.send(LISTENER_TYPE, { resourceNames: ["l"] });
  s.send(ENDPOINT_TYPE, { resourceNames: ["e"] });
  assert.deepEqual(s.flush(), ["lds h() []"]);
});

test("state of the world: sends only the endpoints that changed or were added to the names", () => {
  const world: World = { eds: { a: "1", b: "1" } };
  const s = startSotw(world);
  s.send(ENDPOINT_TYPE, { resourceNames: ["a"] });
  assert.deepEqual(s.flush(), ["eds h(a=1) [1]"]);
  s.ack(ENDPOINT_TYPE, ["a", "b"]);
  assert.deepEqual(s.flush(), ["eds h(a=1,b=1) [1]"]);
  s.ack(ENDPOINT_TYPE, ["b"]);
  world.eds = { a: "9", b: "1" };
  s.session.markChanged([ENDPOINT_TYPE]);
  assert.deepEqual(s.flush(), []);
});

test("state of the world: sends nothing to a client that comes back with the current version", () => {
  const s = startSotw({ cds: { a: "1" } });
  s.send(CLUSTER_TYPE, { versionInfo: "h(a=1)" });
  assert.deepEqual(s.flush(), []);
  const other = startSotw({ cds: { a: "2" } });
  other.send(CLUSTER_TYPE, { versionInfo: "h(a=1)" });
  assert.deepEqual(other.flush(), ["cds h(a=2) [2]"]);
});
