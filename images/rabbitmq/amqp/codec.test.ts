/** Frames whole, byte by byte and one after the other; tables and properties there and back; topics against their definition. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTopicMatch } from "../broker/exchange.ts";
import { createFrameReader, decodeMethod, encodeContent, encodeMethod, type Read } from "./frames.ts";
import type { Method } from "./methods.ts";
import { decodeProperties, encodeProperties } from "./properties.ts";
import { MalformedError, readBytes, type Table, type Value, writeBytes } from "./values.ts";

const declare: Method = {
  name: "queue.declare",
  args: {
    reserved: 0,
    queue: "größe",
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: true,
    noWait: true,
    arguments: new Map([["x-max-length", { type: "I", value: -5 }]]),
  },
};
const stream = Buffer.concat([
  encodeMethod(7, declare),
  ...encodeContent(7, encodeProperties({ contentType: "text/plain" }), Buffer.alloc(10_000, "z"), 4096),
]);

function readAll(pieces: readonly Buffer[]): readonly Read[] {
  const reader = createFrameReader(() => 4096);
  return pieces.flatMap((piece) => [...reader.push(piece)]);
}

test("frames are the same however their bytes arrive", () => {
  const whole = readAll([stream]);
  assert.deepEqual(
    whole.map((read) =>
      read.kind === "frame" ? [read.frame.type, read.frame.channel, read.frame.payload.length] : read,
    ),
    [
      [1, 7, 37],
      [2, 7, 25],
      [3, 7, 4088],
      [3, 7, 4088],
      [3, 7, 1824],
    ],
  );
  assert.deepEqual(readAll([...stream].map((byte) => Buffer.of(byte))), whole);
  fc.assert(
    fc.property(fc.nat(stream.length), fc.nat(stream.length), (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      assert.deepEqual(readAll([stream.subarray(0, from), stream.subarray(from, to), stream.subarray(to)]), whole);
    }),
    { numRuns: 30 },
  );
  const [first] = whole;
  assert.ok(first?.kind === "frame");
  assert.deepEqual(decodeMethod(first.frame.payload), declare);
});

test("a frame that is too large or has no end mark breaks the stream", () => {
  const large = Buffer.from([1, 0, 0, 0, 0, 0x10, 1]);
  assert.equal(readAll([large])[0]?.kind, "broken");
  const unended = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(readAll([unended])[0]?.kind, "broken");
});

const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value; table: Table }>((tie) => ({
  table: fc
    .array(fc.tuple(fc.string({ maxLength: 20 }), tie("value")), { maxLength: 4 })
    .map((entries) => new Map(entries)),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.boolean().map((flag): Value => ({ type: "t", value: flag })),
    fc.integer().map((number): Value => ({ type: "I", value: number })),
    fc.integer({ min: -128, max: 127 }).map((number): Value => ({ type: "b", value: number })),
    fc.integer({ min: -32768, max: 32767 }).map((number): Value => ({ type: "s", value: number })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((number): Value => ({ type: "l", value: number })),
    fc.double({ noNaN: true }).map((number): Value => ({ type: "d", value: number })),
    fc.string().map((text): Value => ({ type: "S", value: Buffer.from(text) })),
    fc.constant<Value>({ type: "V" }),
    fc.array(tie("value"), { maxLength: 3 }).map((items): Value => ({ type: "A", value: items })),
    tie("table").map((table): Value => ({ type: "F", value: table })),
  ),
})).value;

test("every table and its properties come back as they went", () => {
  fc.assert(
    fc.property(value, (each) => {
      const headers: Table = new Map([["h", each]]);
      const properties = { headers, deliveryMode: 2, expiration: "60", timestamp: 1_700_000_000 };
      assert.deepEqual(decodeProperties(encodeProperties(properties)), properties);
    }),
    { numRuns: 200 },
  );
});

test("bytes that end too early are malformed, never read past", () => {
  const writer = writeBytes();
  writer.table(new Map([["key", { type: "S", value: Buffer.from("text") }]]));
  const bytes = writer.bytes();
  for (let end = 0; end < bytes.length; end += 1)
    assert.throws(() => readBytes(bytes.subarray(0, end)).table(), MalformedError);
});

test("topics match as the definition says", () => {
  const matches = (pattern: readonly string[], words: readonly string[]): boolean => {
    const [first, ...rest] = pattern;
    if (first === undefined) return words.length === 0;
    if (first === "#") return matches(rest, words) || (words.length > 0 && matches(pattern, words.slice(1)));
    return words.length > 0 && (first === "*" || first === words[0]) && matches(rest, words.slice(1));
  };
  const word = fc.constantFrom("a", "b");
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "b", "*", "#"), { maxLength: 5 }),
      fc.array(word, { maxLength: 6 }),
      (p, w) => {
        assert.equal(isTopicMatch(p, w), matches(p, w));
      },
    ),
    { numRuns: 500 },
  );
});
