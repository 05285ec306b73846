import assert from "node:assert/strict";
import test from "node:test";
import {
  block,
  createWireReader,
  data,
  describeEvent,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  goaway,
  headers,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "../../test/http2-wire.ts";
import { createHeaderBlock } from "../headers/text-header-block.ts";
import { createHttp2Connection, type Http2ClientConnection } from "./connection.ts";

interface Case {
  readonly name: string;
  /** The methods of the requests sent first, on streams 1, 3, 5… */
  readonly methods: readonly string[];
  readonly input: readonly Buffer[];
  readonly want: readonly string[];
}

const OK: readonly Field[] = [[":status", "200"]];
const cases: readonly Case[] = [
  {
    name: "a response with a body and trailers",
    methods: ["GET"],
    input: [headers(1, [...OK, ["x", "y"]], END_HEADERS), data(1, "abc"), headers(1, [["grpc-status", "0"]])],
    want: ["1 head 200 chunked x=y", "1 body abc", "1 trailers grpc-status=0", "1 end"],
  },
  {
    name: "interim responses come before the head",
    methods: ["GET"],
    input: [
      headers(1, [[":status", "100"]], END_HEADERS),
      headers(1, [[":status", "103"]], END_HEADERS),
      headers(1, OK),
    ],
    want: ["1 informational 100 none", "1 informational 103 none", "1 head 200 none", "1 end"],
  },
  {
    name: "a response to HEAD and a 304 announce a length without a body",
    methods: ["HEAD", "GET"],
    input: [
      headers(1, [...OK, ["content-length", "9"]]),
      headers(3, [
        [":status", "304"],
        ["content-length", "9"],
      ]),
    ],
    want: ["1 head 200 none content-length=9", "1 end", "3 head 304 none content-length=9", "3 end"],
  },
  {
    name: "GOAWAY refuses the later streams and leaves the earlier ones",
    methods: ["GET", "GET"],
    input: [goaway(1), headers(1, OK)],
    want: ["goaway 1 NO_ERROR", "3 reset REFUSED_STREAM by peer refused", "1 head 200 none", "1 end"],
  },
  {
    name: "RST_STREAM tells whether it may be tried again",
    methods: ["GET", "GET"],
    input: [reset(1, 7), reset(3, 2)],
    want: ["1 reset REFUSED_STREAM by peer refused", "3 reset INTERNAL_ERROR by peer"],
  },
  ...(
    [
      ["no :status", [["x", "y"]]],
      [":status 101", [[":status", "101"]]],
      [":status of two digits", [[":status", "20"]]],
      ["a request's pseudo header", [...OK, [":path", "/"]]],
      ["an interim response that ends the stream", [[":status", "103"]]],
      ["transfer-encoding", [...OK, ["transfer-encoding", "chunked"]]],
      ["content-length without a body", [...OK, ["content-length", "1"]]],
    ] as const
  ).map(([name, fields]) => ({
    name: `malformed response: ${name}`,
    methods: ["GET"],
    input: [headers(1, fields)],
    want: ["1 reset PROTOCOL_ERROR"],
  })),
  { name: "DATA before HEADERS", methods: ["POST"], input: [data(1, "x")], want: ["1 reset PROTOCOL_ERROR"] },
  {
    name: "a body where there can be none",
    methods: ["HEAD"],
    input: [headers(1, OK, END_HEADERS), data(1, "x", END_STREAM)],
    want: ["1 head 200 none", "1 reset PROTOCOL_ERROR"],
  },
  { name: "a stream that was not opened", methods: ["GET"], input: [headers(3, OK)], want: ["error PROTOCOL_ERROR"] },
  { name: "an even stream", methods: ["GET"], input: [headers(2, OK)], want: ["error PROTOCOL_ERROR"] },
  {
    name: "PUSH_PROMISE",
    methods: ["GET"],
    input: [frame(5, 4, 1, Buffer.concat([uint32(2), block(OK)]))],
    want: ["error PROTOCOL_ERROR"],
  },
  { name: "ENABLE_PUSH from a server", methods: [], input: [settings([2, 1])], want: ["error PROTOCOL_ERROR"] },
];

function createClient(): Http2ClientConnection {
  return createHttp2Connection({ role: "client", monotonic: () => 0 });
}

const get = { method: "GET", scheme: "http", authority: "a", target: "/", headers: createHeaderBlock() };

function drive(client: Http2ClientConnection, ...input: readonly Buffer[]): string[] {
  const bytes = Buffer.concat(input);
  const lines: string[] = [];
  client.feed(bytes, 0, bytes.length);
  for (;;) {
    const event = client.next();
    if (event.kind === "need-data") return lines;
    lines.push(describeEvent(event));
    if (event.kind === "error") return lines;
  }
}

for (const c of cases) {
  test(c.name, () => {
    const client = createClient();
    for (const method of c.methods) client.sendRequest({ ...get, method }, method !== "POST");
    assert.deepEqual(drive(client, settings(), ...c.input), ["settings", ...c.want]);
  });
}

test("a request is written without what belongs to HTTP/1, its host as :authority", () => {
  const client = createClient();
  const read = createWireReader();
  read(client.takeOutput());
  const fields = createHeaderBlock([
    ["host", "shop:80"],
    ["connection", "keep-alive"],
    ["keep-alive", "5"],
    ["transfer-encoding", "chunked"],
    ["upgrade", "h2c"],
    ["te", "gzip"],
    ["x-kept", " blanks go "],
  ]);
  client.sendRequest({ method: "PUT", scheme: "https", target: "/x", headers: fields, contentLength: 3 }, false);
  client.sendBody(1, Buffer.from("abc"), 0, 3, true);
  client.sendRequest(
    { method: "CONNECT", scheme: "", target: "h:1", headers: createHeaderBlock([["te", "trailers"]]) },
    false,
  );
  assert.deepEqual(read(client.takeOutput()), [
    "HEADERS 1 :method=PUT :scheme=https :authority=shop:80 :path=/x x-kept=blanks go content-length=3",
    'DATA 1 "abc" end',
    "HEADERS 3 :method=CONNECT :authority=h:1 te=trailers",
  ]);
});

test("the end of a stream goes with its last DATA frame, while that has not been taken", () => {
  const client = createClient();
  const read = createWireReader();
  for (const text of ["a", "b", "c"]) {
    const id = client.sendRequest({ ...get, method: "POST" }, false);
    client.sendBody(id, Buffer.from(text), 0, 1);
  }
  read(client.takeOutput());
  client.endStream(1);
  client.sendBody(3, Buffer.from("d"), 0, 1);
  client.sendBody(5, Buffer.from("e"), 0, 1);
  client.endStream(5);
  client.endStream(3);
  assert.deepEqual(read(client.takeOutput()), ['DATA 1 "" end', 'DATA 3 "d"', 'DATA 5 "e" end', 'DATA 3 "" end']);
});

test("a head from HTTP/1 keeps its length, and gets none when it had none", () => {
  const client = createClient();
  const read = createWireReader();
  read(client.takeOutput());
  const post = { ...get, method: "POST" };
  client.sendRequest({ ...post, framing: "chunked", contentLength: 0 }, false);
  client.sendRequest({ ...post, framing: "length", contentLength: 7 }, false);
  client.sendRequest({ ...post, headers: createHeaderBlock([["content-length", "7"]]), contentLength: 7 }, false);
  const start = ":method=POST :scheme=http :authority=a :path=/";
  assert.deepEqual(read(client.takeOutput()), [
    `HEADERS 1 ${start}`,
    `HEADERS 3 ${start} content-length=7`,
    `HEADERS 5 ${start} content-length=7`,
  ]);
});

test("line ends in a target are refused", () => {
  const client = createClient();
  assert.throws(() => client.sendRequest({ ...get, target: "/a\r\nx: y" }, true), { code: "codec.header.invalid" });
  assert.equal(client.openStreams, 0);
});

test("a body before its head, after its end, or twice a head throws", () => {
  const server = createHttp2Connection({ role: "server", monotonic: () => 0 });
  const client = createClient();
  client.sendRequest(get, true);
  const bytes = client.takeOutput();
  server.feed(bytes, 0, bytes.length);
  while (server.next().kind !== "need-data");
  const code = { code: "codec.http2.invalid-command" };
  assert.throws(() => server.sendBody(1, Buffer.from("x"), 0, 1), code);
  assert.throws(() => server.sendTrailers(1, createHeaderBlock()), code);
  server.sendResponse(1, { status: 200, headers: createHeaderBlock() }, false);
  assert.throws(() => server.sendResponse(1, { status: 200, headers: createHeaderBlock() }, false), code);
  assert.throws(() => client.sendBody(1, Buffer.from("x"), 0, 1), code);
});

test("streams are opened within the server's limit, 100 before it has said one", () => {
  const client = createClient();
  for (let i = 0; i < 100; i += 1) assert.equal(client.sendRequest(get, true), 2 * i + 1);
  assert.equal(client.sendRequest(get, true), 0);
  drive(client, settings([3, 101]));
  assert.equal(client.sendRequest(get, true), 201);
  assert.equal(client.canOpenStream, false);
  drive(client, headers(1, OK));
  assert.equal(client.canOpenStream, true);
  drive(client, settings([3, 0]));
  assert.equal(client.canOpenStream, false);
});

test("a body stops at the stream's window, goes on with a WINDOW_UPDATE, and bears a window below zero", () => {
  const client = createClient();
  const read = createWireReader();
  drive(client, settings([4, 10]));
  const body = Buffer.from("0123456789abcdefghij");
  client.sendRequest({ ...get, method: "POST" }, false);
  client.takeOutput();
  assert.equal(client.sendBody(1, body, 0, 20, true), 10);
  assert.equal(client.sendBody(1, body, 10, 20, true), 0);
  assert.deepEqual(drive(client, settings([4, 4])), ["settings"]);
  assert.deepEqual(drive(client, windowUpdate(1, 6)), []);
  assert.deepEqual(drive(client, windowUpdate(1, 3)), ["1 window-available"]);
  assert.equal(client.sendBody(1, body, 10, 20, true), 3);
  assert.deepEqual(drive(client, settings([4, 50])), ["settings", "1 window-available"]);
  assert.equal(client.sendBody(1, body, 13, 20, true), 7);
  assert.deepEqual(read(client.takeOutput()), [
    'DATA 1 "0123456789"',
    "SETTINGS ack",
    'DATA 1 "abc"',
    "SETTINGS ack",
    'DATA 1 "defghij" end',
  ]);
});

test("streams that wait for the connection's window take turns", () => {
  const client = createClient();
  drive(client, settings([4, 1_000_000]));
  const body = Buffer.alloc(50_000);
  for (let i = 0; i < 3; i += 1) client.sendRequest({ ...get, method: "POST" }, false);
  assert.deepEqual(
    [1, 3, 5].map((id) => client.sendBody(id, body, 0, body.length)),
    [50_000, 15_535, 0],
  );
  const bytes = windowUpdate(0, 20_000);
  client.feed(bytes, 0, bytes.length);
  assert.equal(describeEvent(client.next()), "3 window-available");
  assert.equal(client.sendBody(3, body, 0, 34_465), 20_000);
  assert.equal(client.next().kind, "need-data");
  const more = windowUpdate(0, 20_000);
  client.feed(more, 0, more.length);
  assert.equal(describeEvent(client.next()), "5 window-available");
  assert.equal(client.sendBody(5, body, 0, 100), 100);
  assert.equal(describeEvent(client.next()), "3 window-available");
});

test("windows open as the caller consumes, and a stream that is gone gives its bytes back", () => {
  const client = createHttp2Connection({
    role: "client",
    monotonic: () => 0,
    settings: { initialStreamWindow: 65_535, initialConnectionWindow: 65_535 },
  });
  const read = createWireReader();
  drive(client, settings());
  for (let i = 0; i < 2; i += 1) client.sendRequest(get, true);
  read(client.takeOutput());
  drive(client, headers(1, OK, END_HEADERS), headers(3, OK, END_HEADERS));
  const piece = data(1, Buffer.alloc(16_000));
  drive(client, piece, piece, data(3, Buffer.alloc(16_000)));
  assert.deepEqual(read(client.takeOutput()), []);
  client.consume(1, 30_000);
  assert.deepEqual(read(client.takeOutput()), []);
  client.consume(1, 1000);
  client.consume(1, 1000);
  assert.deepEqual(read(client.takeOutput()), []);
  client.resetStream(3, 8);
  assert.deepEqual(read(client.takeOutput()), ["WINDOW_UPDATE 0 48000", "RST_STREAM 3 CANCEL"].reverse());
});

test("a ping comes back, and bytes that were taken never change", () => {
  const client = createClient();
  client.ping(281_474_976_710_655);
  const taken = client.takeOutput();
  const before = Buffer.from(taken);
  const sent = taken.subarray(-8);
  for (let i = 0; i < 50; i += 1) {
    client.sendRequest({ ...get, target: `/${"p".repeat(i * 20)}` }, true);
    if (i % 5 === 0) client.takeOutput();
  }
  assert.deepEqual(taken, before);
  assert.deepEqual(drive(client, settings(), frame(6, 1, 0, Buffer.from(sent))), [
    "settings",
    "ping-ack 281474976710655",
  ]);
});
