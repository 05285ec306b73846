import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@argyle/telemetry";
import { createMetadataExchange, encodePreamble, type PreambleEvent } from "./metadata-exchange.ts";

const METADATA = { NAME: "web-1", NAMESPACE: "shop", WORKLOAD_NAME: "web", CLUSTER_ID: "c1", LABELS: { app: "web" } };
const exchange = () => createMetadataExchange(createRegistry(), { id: "sidecar~1", metadata: METADATA });

function feedAll(pieces: readonly Buffer[]): PreambleEvent {
  const reader = exchange().reader();
  let event: PreambleEvent = { kind: "need-more" };
  for (const piece of pieces) {
    assert.equal(event.kind, "need-more", "ended early");
    event = reader.feed(piece);
  }
  return event;
}

const preamble = encodePreamble(METADATA, "sidecar~1");
const forged = (length: number) => {
  const head = Buffer.from(preamble.subarray(0, 8));
  head.writeUInt32BE(length, 4);
  return head;
};

test("begins with the magic and the length of an Any", () => {
  assert.equal(preamble.subarray(0, 4).toString("hex"), "3d230467");
  assert.equal(preamble.readUInt32BE(4), preamble.length - 8);
  assert.ok(preamble.includes("type.googleapis.com/google.protobuf.Struct"));
});

const cases: readonly {
  readonly name: string;
  readonly pieces: readonly Buffer[];
  readonly kind: PreambleEvent["kind"];
  readonly workload?: string;
  readonly rest?: string;
}[] = [
  { name: "whole", pieces: [preamble], kind: "done", workload: "web", rest: "" },
  {
    name: "with the stream behind it",
    pieces: [Buffer.concat([preamble, Buffer.from("data")])],
    kind: "done",
    workload: "web",
    rest: "data",
  },
  {
    name: "byte by byte",
    pieces: [...preamble].map((byte) => Buffer.from([byte])),
    kind: "done",
    workload: "web",
    rest: "",
  },
  { name: "another protocol", pieces: [Buffer.from("PING\r\n")], kind: "done", rest: "PING\r\n" },
  {
    name: "another protocol that begins alike",
    pieces: [Buffer.from([0x3d, 0x23]), Buffer.from("x")],
    kind: "done",
    rest: "=#x",
  },
  { name: "a length over the limit", pieces: [forged(16 * 1024 + 1)], kind: "too-long" },
  { name: "the largest length there is", pieces: [forged(0xffffffff)], kind: "too-long" },
  {
    name: "an Any of nothing",
    pieces: [Buffer.concat([forged(3), Buffer.from("abcd")])],
    kind: "done",
    rest: "d",
  },
];
for (const c of cases) {
  test(`reads ${c.name}`, () => {
    const event = feedAll(c.pieces);
    assert.equal(event.kind, c.kind);
    if (event.kind !== "done") return;
    assert.equal(event.peer?.workload, c.workload);
    assert.equal(event.rest.toString("latin1"), c.rest);
  });
}

test("gives one object for one peer, so that metric cells are found again", () => {
  const shared = exchange();
  const [a, b] = [shared.reader().feed(preamble), shared.reader().feed(preamble)];
  assert.ok(a.kind === "done" && b.kind === "done" && a.peer !== undefined && a.peer === b.peer);
});

test("a beginning that never becomes a preamble is the stream", () => {
  const reader = exchange().reader();
  assert.equal(reader.feed(preamble.subarray(0, 6)).kind, "need-more");
  assert.deepEqual(reader.finish(), preamble.subarray(0, 6));
});
