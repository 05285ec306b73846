import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import type { HeaderEntry } from "./header-entry.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "./huffman.ts";
import { CODE_LENGTHS } from "./huffman-code.ts";
import { OutputBuffer } from "./output.ts";

type Field = readonly [name: string, value: string];

function decodeEntries(decoder: HpackDecoder, block: Buffer): HeaderEntry[] | "broken" {
  const entries: HeaderEntry[] = [];
  const isWhole = decoder.decode(block, 0, block.length, { field: (entry) => void entries.push(entry) });
  return isWhole ? entries : "broken";
}

function decode(decoder: HpackDecoder, block: Buffer): readonly Field[] | "broken" {
  const entries = decodeEntries(decoder, block);
  return entries === "broken" ? entries : entries.map(({ name, value }) => [name, value] as const);
}

function encode(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  const out = new OutputBuffer();
  encoder.begin(out);
  for (const [name, value] of fields) encoder.field(name, value, out);
  return out.take();
}

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");
const firstRequest: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const secondRequest: readonly Field[] = [...firstRequest, ["cache-control", "no-cache"]];
const thirdRequest: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const response = (status: string, seconds: string): readonly Field[] => [
  [":status", status],
  ["cache-control", "private"],
  ["date", `Mon, 21 Oct 2013 20:13:${seconds} GMT`],
  ["location", "https://www.example.com"],
];
const thirdResponse: readonly Field[] = [
  ...response("200", "22"),
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];

// RFC 7541 Appendix C: header blocks of one connection each.
const examples: readonly {
  readonly name: string;
  readonly tableSize?: number;
  readonly blocks: readonly (readonly [string, readonly Field[]])[];
}[] = [
  {
    name: "C.2.1 literal with indexing",
    blocks: [["400a637573746f6d2d6b65790d637573746f6d2d686561646572", [["custom-key", "custom-header"]]]],
  },
  { name: "C.2.2 literal without indexing", blocks: [["040c2f73616d706c652f70617468", [[":path", "/sample/path"]]]] },
  { name: "C.2.3 literal never indexed", blocks: [["100870617373776f726406736563726574", [["password", "secret"]]]] },
  { name: "C.2.4 indexed", blocks: [["82", [[":method", "GET"]]]] },
  {
    name: "C.3 requests",
    blocks: [
      ["828684410f7777772e6578616d706c652e636f6d", firstRequest],
      ["828684be58086e6f2d6361636865", secondRequest],
      ["828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", thirdRequest],
    ],
  },
  {
    name: "C.4 requests with Huffman",
    blocks: [
      ["828684418cf1e3c2e5f23a6ba0ab90f4ff", firstRequest],
      ["828684be5886a8eb10649cbf", secondRequest],
      ["828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", thirdRequest],
    ],
  },
  {
    name: "C.5 responses with eviction",
    tableSize: 256,
    blocks: [
      [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        response("302", "21"),
      ],
      ["4803333037c1c0bf", response("307", "21")],
      [
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        thirdResponse,
      ],
    ],
  },
  {
    name: "C.6 responses with Huffman and eviction",
    tableSize: 256,
    blocks: [
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        response("302", "21"),
      ],
      ["4883640effc1c0bf", response("307", "21")],
      [
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        thirdResponse,
      ],
    ],
  },
];

for (const { name, tableSize, blocks } of examples) {
  test(`decodes ${name}`, () => {
    const decoder = new HpackDecoder(tableSize);
    for (const [block, want] of blocks) assert.deepEqual(decode(decoder, hex(block)), want);
  });
}

test("encodes the requests of C.4 to the very bytes of the RFC", () => {
  const encoder = new HpackEncoder();
  const blocks = [firstRequest, secondRequest, thirdRequest].map((fields) => encode(encoder, fields).toString("hex"));
  assert.deepEqual(
    blocks,
    examples.find((example) => example.name.startsWith("C.4"))?.blocks.map(([block]) => block),
  );
});

test("the Huffman code is complete: its lengths fill the tree", () => {
  assert.equal(
    CODE_LENGTHS.reduce((sum, length) => sum + 2 ** (30 - length), 0),
    2 ** 30,
  );
});

test("every text survives Huffman", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const packed = new Uint8Array(huffmanLength(text) + 4);
      const length = huffmanEncode(text, packed, 0);
      assert.equal(length, huffmanLength(text));
      const decoded = Buffer.alloc(bytes.length * 4 + 8);
      assert.equal(huffmanDecode(packed, 0, length, decoded), bytes.length);
      assert.deepEqual(decoded.subarray(0, bytes.length).toString("latin1"), text);
    }),
  );
});

const broken: readonly (readonly [name: string, block: string])[] = [
  ["index 0", "80"],
  ["an index beyond the tables", "be"],
  ["a name index beyond the tables", "7f00" + "00"],
  ["a cut integer", "ff"],
  ["an integer that never ends", "ffffffffffffffffff01"],
  ["an integer of more than 28 bits", "ff8080808001"],
  ["a string longer than the block", "0005616263"],
  ["a literal without a value", "00016b"],
  ["an empty literal", "40"],
  ["Huffman padding of zeros", "0001618118"],
  ["Huffman padding of eight ones", "00016182 1fff"],
  ["EOS in a Huffman string", "00016184 ffffffff"],
  ["a table size above the limit", "3fe21f"],
  ["a table size after a field", "8220"],
];
for (const [name, block] of broken) {
  test(`refuses ${name}`, () => assert.equal(decode(new HpackDecoder(), hex(block)), "broken"));
}

test("after a lowered limit the next block must begin with a size update", () => {
  const lowered = () => {
    const decoder = new HpackDecoder();
    decoder.setLimit(100);
    return decoder;
  };
  assert.equal(decode(lowered(), hex("82")), "broken");
  assert.deepEqual(decode(lowered(), hex("3f4582")), [[":method", "GET"]]);
});

test("a changed table size is told at the start of the next block: the smallest, then the last", () => {
  const encoder = new HpackEncoder();
  encode(encoder, secondRequest);
  encoder.setPeerLimit(0);
  encoder.setPeerLimit(100);
  assert.equal(encode(encoder, [[":method", "GET"]]).toString("hex"), "203f4582");
  assert.equal(encode(encoder, [[":method", "GET"]]).toString("hex"), "82");
  assert.equal(
    encode(encoder, [["cache-control", "no-cache"]])
      .subarray(0, 1)
      .toString("hex"),
    "58",
  );
});

for (const [name, value, want] of [
  ["authorization", "Bearer x", "never"],
  ["proxy-authorization", "x", "never"],
  ["cookie", "a=b", "never"],
  ["cookie", "session=0123456789012345", "indexed"],
  ["x-request-id", "aa", "plain"],
  ["traceparent", "00-aa", "plain"],
  ["content-length", "7", "plain"],
  ["x-tenant", "blue", "indexed"],
] as const) {
  test(`${name} (${value.length} bytes) is sent ${want}`, () => {
    const first = encode(new HpackEncoder(), [[name, value]])[0] ?? 0;
    assert.equal(first >= 0x40 ? "indexed" : first >= 0x10 ? "never" : "plain", want);
  });
}

test("what came never indexed is sent on never indexed", () => {
  const entries = decodeEntries(new HpackDecoder(), hex("100870617373776f726406736563726574"));
  assert.ok(entries !== "broken");
  const out = new OutputBuffer();
  const encoder = new HpackEncoder();
  for (let i = 0; i < 2; i += 1) for (const entry of entries) encoder.entry(entry, out);
  assert.equal(out.take()[0], 0x10);
});

// Few names and values of up to half a table: entries are evicted, come back, and are known under several objects.
const field = fc.tuple(
  fc.constantFrom("a", "b", "x-long-name", "cookie", ":path", "authorization", "te"),
  fc.oneof(
    fc.constantFrom("", "1", "2", "gzip, deflate"),
    fc.integer({ min: 0, max: 1800 }).map((n) => "v".repeat(n)),
  ),
);

test("blocks of a connection survive, through identity, evictions and table sizes", () => {
  const step = fc.record({
    fields: fc.array(field, { maxLength: 12 }),
    limit: fc.option(fc.constantFrom(0, 60, 300, 4096), { nil: undefined, freq: 6 }),
    reuses: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder();
      // What a downstream's decoder gives is encoded towards an upstream.
      const upstream = new HpackEncoder();
      const receiver = new HpackDecoder();
      let kept: HeaderEntry[] = [];
      for (const { fields, limit, reuses } of steps) {
        if (limit !== undefined) upstream.setPeerLimit(limit);
        const entries = decodeEntries(decoder, encode(encoder, fields));
        assert.ok(entries !== "broken");
        assert.deepEqual(
          entries.map(({ name, value }) => [name, value]),
          fields,
        );
        const sent = reuses ? [...entries, ...kept] : entries;
        const out = new OutputBuffer();
        upstream.begin(out);
        for (const entry of sent) upstream.entry(entry, out);
        assert.deepEqual(
          decode(receiver, out.take()),
          sent.map(({ name, value }) => [name, value]),
        );
        kept = entries;
      }
    }),
    { numRuns: 300 },
  );
});

test("any bytes are decoded or refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder();
      for (const block of blocks) if (decode(decoder, Buffer.from(block)) === "broken") return;
    }),
    { numRuns: 2000 },
  );
});
