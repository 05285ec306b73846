import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  block,
  continuation,
  createWireReader,
  data,
  describeEvent,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  goaway,
  headers,
  PADDED,
  PREFACE,
  PRIORITY,
  ping,
  priority,
  reset,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from "../../test/http2-wire.ts";
import { createHttp2Connection } from "./connection.ts";
import type { Http2Limits, Http2Settings } from "./options.ts";

interface Case {
  readonly name: string;
  /** Frames after the preface and empty SETTINGS. */
  readonly input: readonly Buffer[];
  /** Events after "settings". */
  readonly want: readonly string[];
  /** Frames written after our SETTINGS, WINDOW_UPDATE and the acknowledgement. */
  readonly wrote?: readonly string[];
  readonly settings?: Partial<Http2Settings>;
  readonly limits?: Partial<Http2Limits>;
  readonly start?: readonly Buffer[];
}

const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a"],
];
const POST: readonly Field[] = [[":method", "POST"], ...GET.slice(1)];
const withField = (...fields: readonly Field[]) => [...GET, ...fields];
const HEAD = "head GET / none host=a";
const OPEN = END_HEADERS;

const calm = (details: string) => ({
  want: [`error ENHANCE_YOUR_CALM ${details}`],
  wrote: ["GOAWAY 0 ENHANCE_YOUR_CALM"],
});
const connectionError = (code: string, last = 0) => ({ want: [`error ${code}`], wrote: [`GOAWAY ${last} ${code}`] });
const streamError = (code: string) => ({ want: [`1 reset ${code}`], wrote: [`RST_STREAM 1 ${code}`] });

const messages: readonly Case[] = [
  { name: "a request without a body", input: [headers(1, GET)], want: [`1 ${HEAD}`, "1 end"], wrote: [] },
  {
    name: "a body of several frames, one of them padded, and trailers",
    input: [
      headers(1, POST, OPEN),
      data(1, "hello "),
      data(1, `\u0003world\0\0\0`, PADDED),
      headers(1, [["grpc-status", "0"]]),
    ],
    want: ["1 head POST / chunked host=a", "1 body hello world", "1 trailers grpc-status=0", "1 end"],
  },
  {
    name: "content-length is checked and told",
    input: [headers(1, [...POST, ["content-length", "3"]], OPEN), data(1, "abc", END_STREAM)],
    want: ["1 head POST / length content-length=3 host=a", "1 body abc", "1 end"],
  },
  {
    name: "two streams at a time",
    input: [headers(1, POST, OPEN), headers(3, GET), data(1, "x", END_STREAM)],
    want: ["1 head POST / chunked host=a", `3 ${HEAD}`, "3 end", "1 body x", "1 end"],
  },
  {
    name: "a head over CONTINUATION frames",
    input: [
      frame(1, END_STREAM, 1, block(GET).subarray(0, 1)),
      continuation(1, block(GET).subarray(1, 2), 0),
      continuation(1, block(GET).subarray(2)),
    ],
    want: [`1 ${HEAD}`, "1 end"],
  },
  {
    name: "padding and priority of HEADERS are skipped",
    input: [
      frame(
        1,
        END_STREAM | END_HEADERS | PADDED | PRIORITY,
        1,
        Buffer.concat([Buffer.of(2), uint32(0), Buffer.of(9), block(GET), Buffer.of(0, 0)]),
      ),
    ],
    want: [`1 ${HEAD}`, "1 end"],
  },
  {
    name: "cookies become one field, where the first was",
    input: [headers(1, withField(["cookie", "a=1"], ["x", "y"], ["cookie", "b=2"], ["cookie", "c=3"]))],
    want: ["1 head GET / none cookie=a=1; b=2; c=3 x=y host=a", "1 end"],
  },
  {
    name: "host alone serves as authority, and may repeat it",
    input: [headers(1, [...GET.slice(0, 3), ["host", "h"]]), headers(3, withField(["host", "A"]))],
    want: ["1 head GET / none host=h", "1 end", "3 head GET / none host=A", "3 end"],
  },
  {
    name: "te: trailers passes",
    input: [headers(1, withField(["te", "trailers"]))],
    want: ["1 head GET / none te=trailers host=a", "1 end"],
  },
  {
    name: "OPTIONS * and a plain CONNECT",
    input: [
      headers(1, [
        [":method", "OPTIONS"],
        [":scheme", "http"],
        [":path", "*"],
      ]),
      headers(
        3,
        [
          [":method", "CONNECT"],
          [":authority", "h:443"],
        ],
        OPEN,
      ),
      data(3, "tunnelled"),
    ],
    want: ["1 head OPTIONS * none", "1 end", "3 head CONNECT h:443 tunnel host=h:443", "3 body tunnelled"],
  },
  {
    name: "an extended CONNECT where it is enabled",
    settings: { enableConnectProtocol: true },
    input: [headers(1, [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)], OPEN)],
    want: ["1 head CONNECT / tunnel host=a"],
  },
  {
    name: "PING is answered, GOAWAY told, unknown frames and settings ignored",
    input: [ping(), goaway(0, 2), frame(0x16, 0xff, 0, "12345678"), settings([0xff, 1]), frame(0x17, 0, 5, "x")],
    want: ["goaway 0 INTERNAL_ERROR", "settings"],
    wrote: ["PING ack 12345678", "SETTINGS ack"],
  },
  {
    name: "a reset is told once, and frames of a reset stream are the peer's fault",
    input: [headers(1, POST, OPEN), reset(1), reset(1), data(1, "late")],
    want: ["1 head POST / chunked host=a", "1 reset CANCEL by peer"],
    wrote: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "more streams than allowed are refused, and their frames ignored",
    settings: { maxConcurrentStreams: 1 },
    input: [headers(1, POST, OPEN), headers(3, POST, OPEN), data(3, "x"), data(1, "y", END_STREAM)],
    want: ["1 head POST / chunked host=a", "1 body y", "1 end"],
    wrote: ["RST_STREAM 3 REFUSED_STREAM"],
  },
  {
    name: "a stream that both sides have reset has nothing under way any more",
    settings: { maxConcurrentStreams: 1 },
    input: [headers(1, POST, OPEN), headers(3, POST, OPEN), reset(3), data(3, "x")],
    want: ["1 head POST / chunked host=a"],
    wrote: ["RST_STREAM 3 REFUSED_STREAM", "RST_STREAM 3 STREAM_CLOSED"],
  },
  {
    name: "a head that is too large is answered 431, and HPACK stays in step",
    limits: { maxHeaders: 5 },
    input: [headers(1, withField(["b", "1"], ["c", "2"])), frame(1, 5, 3, Buffer.from([0x82, 0x86, 0x84, 0xc0]))],
    want: ["1 reset NO_ERROR", `3 ${HEAD}`, "3 end"],
    wrote: ["HEADERS 1 :status=431 end", "RST_STREAM 1 NO_ERROR"],
  },
];

const malformed: readonly (readonly [name: string, fields: readonly Field[]])[] = [
  ["no :method", GET.slice(1)],
  ["no :scheme", GET.filter(([name]) => name !== ":scheme")],
  ["no :path", GET.filter(([name]) => name !== ":path")],
  [
    "an empty :path",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", ""],
    ],
  ],
  [
    ":path that is no path",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "x"],
    ],
  ],
  [
    ":path with a blank",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/a b"],
    ],
  ],
  [
    ":path * of another method",
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "*"],
    ],
  ],
  ["a pseudo header twice", [...GET, [":path", "/"]]],
  ["a pseudo header after a field", [["x", "y"], ...GET]],
  ["an unknown pseudo header", withField([":version", "2"])],
  [":status in a request", withField([":status", "200"])],
  [":protocol where it is not enabled", [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)]],
  ["CONNECT with a :path", [[":method", "CONNECT"], ...GET.slice(1)]],
  ["CONNECT without :authority", [[":method", "CONNECT"]]],
  ["an upper-case name", withField(["X-Up", "1"])],
  ["a name with a blank", withField(["x y", "1"])],
  ["a name with a colon", withField(["x:y", "1"])],
  ["a value with CR LF", withField(["x", "a\r\nb: c"])],
  ["a value with NUL", withField(["x", "a\0"])],
  ["a value that begins with a blank", withField(["x", " a"])],
  ["a value that ends with a tab", withField(["x", "a\t"])],
  ["a method that is no token", [[":method", "GE T"], ...GET.slice(1)]],
  ["connection", withField(["connection", "close"])],
  ["keep-alive", withField(["keep-alive", "5"])],
  ["proxy-connection", withField(["proxy-connection", "x"])],
  ["transfer-encoding", withField(["transfer-encoding", "chunked"])],
  ["upgrade", withField(["upgrade", "h2c"])],
  ["te other than trailers", withField(["te", "trailers, deflate"])],
  ["host that differs from :authority", withField(["host", "b"])],
  ["two hosts", withField(["host", "a"], ["host", "a"])],
  ["user information in :authority", [...GET.slice(0, 3), [":authority", "u:p@a"]]],
  ["two content-lengths", withField(["content-length", "0"], ["content-length", "0"])],
  ["a content-length with a sign", withField(["content-length", "+1"])],
  ["content-length without a body", withField(["content-length", "1"])],
];

const long = headers(1, POST, OPEN);
const streamErrors: readonly Case[] = [
  ...malformed.map(([name, fields]) => ({
    name: `malformed: ${name}`,
    input: [headers(1, fields)],
    ...streamError("PROTOCOL_ERROR"),
  })),
  ...(
    [
      ["a body longer than content-length", [data(1, "abcd")], "PROTOCOL_ERROR"],
      ["a body shorter than content-length", [data(1, "ab", END_STREAM)], "PROTOCOL_ERROR"],
      ["trailers before the end of content-length", [headers(1, [["t", "1"]])], "PROTOCOL_ERROR"],
      ["trailers that do not end the stream", [data(1, "abc"), headers(1, [["t", "1"]], OPEN)], "PROTOCOL_ERROR"],
      ["a pseudo header in trailers", [data(1, "abc"), headers(1, [[":path", "/"]])], "PROTOCOL_ERROR"],
      ["content-length in trailers", [data(1, "abc"), headers(1, [["content-length", "3"]])], "PROTOCOL_ERROR"],
      ["a window update of zero", [windowUpdate(1, 0)], "PROTOCOL_ERROR"],
      ["a window above 2^31-1", [windowUpdate(1, 0x7fffffff)], "FLOW_CONTROL_ERROR"],
      ["PRIORITY of four bytes", [frame(2, 0, 1, "1234")], "FRAME_SIZE_ERROR"],
    ] as const
  ).map(([name, input, code]) => ({
    name: `stream error: ${name}`,
    input: [headers(1, [...POST, ["content-length", "3"]], OPEN), ...input],
    want: [
      "1 head POST / length content-length=3 host=a",
      ...(name.includes("in trailers") || name.includes("not end") ? ["1 body abc"] : []),
      `1 reset ${code}`,
    ],
    wrote: [`RST_STREAM 1 ${code}`],
  })),
  {
    name: "stream error: DATA after the end",
    input: [headers(1, GET), data(1, "x")],
    want: [`1 ${HEAD}`, "1 end", "1 reset STREAM_CLOSED"],
    wrote: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "stream error: HEADERS after the end",
    input: [headers(1, GET), headers(1, GET)],
    want: [`1 ${HEAD}`, "1 end", "1 reset STREAM_CLOSED"],
    wrote: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "stream error: a stream that depends on itself",
    input: [frame(1, 0x25, 1, Buffer.concat([uint32(1), Buffer.of(9), block(GET)]))],
    ...streamError("PROTOCOL_ERROR"),
  },
  {
    name: "stream error: more than the stream's window",
    settings: { initialStreamWindow: 70_000, initialConnectionWindow: 200_000 },
    input: [settingsAck(), long, ...Array<Buffer>(5).fill(data(1, Buffer.alloc(16_384)))],
    want: ["1 head POST / chunked host=a", `1 body ${"\0".repeat(65_536)}`, "1 reset FLOW_CONTROL_ERROR"],
  },
];

const connectionErrors: readonly Case[] = [
  {
    name: "another preface",
    start: [Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    input: [],
    ...connectionError("PROTOCOL_ERROR"),
  },
  {
    name: "a first frame other than SETTINGS",
    start: [PREFACE, ping()],
    input: [],
    ...connectionError("PROTOCOL_ERROR"),
  },
  {
    name: "a frame above the size we allow",
    input: [frame(0, 0, 1, Buffer.alloc(16_385))],
    ...connectionError("FRAME_SIZE_ERROR"),
  },
  { name: "DATA on stream 0", input: [data(0, "x")], ...connectionError("PROTOCOL_ERROR") },
  { name: "DATA on an idle stream", input: [data(1, "x")], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "padding as long as the frame",
    input: [headers(1, POST, OPEN), data(1, "\u0005abcd", PADDED)],
    want: ["1 head POST / chunked host=a", "error PROTOCOL_ERROR"],
    wrote: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  { name: "HEADERS on stream 0", input: [headers(0, GET)], ...connectionError("PROTOCOL_ERROR") },
  { name: "HEADERS on an even stream", input: [headers(2, GET)], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "HEADERS on a lower stream",
    input: [headers(5, GET), headers(3, GET)],
    want: [`5 ${HEAD}`, "5 end", "error STREAM_CLOSED"],
    wrote: ["GOAWAY 5 STREAM_CLOSED"],
  },
  {
    name: "padding of HEADERS that is too long",
    input: [frame(1, 0xd, 1, Buffer.concat([Buffer.of(200), block(GET)]))],
    ...connectionError("PROTOCOL_ERROR"),
  },
  {
    name: "a header block that cannot be decoded",
    input: [frame(1, 5, 1, Buffer.of(0x80))],
    ...connectionError("COMPRESSION_ERROR", 0),
  },
  {
    name: "a frame within a header block",
    input: [frame(1, 1, 1, block(GET)), ping()],
    ...connectionError("PROTOCOL_ERROR"),
  },
  {
    name: "an unknown frame within a header block",
    input: [frame(1, 1, 1, block(GET)), frame(0x16, 0, 0)],
    ...connectionError("PROTOCOL_ERROR"),
  },
  {
    name: "DATA within a header block",
    input: [headers(1, POST, OPEN), frame(1, 1, 3, block(GET)), data(1, "x")],
    want: ["1 head POST / chunked host=a", "error PROTOCOL_ERROR"],
    wrote: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "CONTINUATION of another stream",
    input: [frame(1, 1, 1, block(GET)), continuation(3, Buffer.of(0x82))],
    ...connectionError("PROTOCOL_ERROR"),
  },
  { name: "CONTINUATION without HEADERS", input: [continuation(1, block(GET))], ...connectionError("PROTOCOL_ERROR") },
  { name: "PRIORITY on stream 0", input: [priority(0, 1)], ...connectionError("PROTOCOL_ERROR") },
  { name: "PRIORITY on itself", input: [priority(1, 1)], ...connectionError("PROTOCOL_ERROR") },
  { name: "RST_STREAM on stream 0", input: [reset(0)], ...connectionError("PROTOCOL_ERROR") },
  { name: "RST_STREAM on an idle stream", input: [reset(1)], ...connectionError("PROTOCOL_ERROR") },
  { name: "RST_STREAM of three bytes", input: [frame(3, 0, 1, "123")], ...connectionError("FRAME_SIZE_ERROR") },
  { name: "SETTINGS on a stream", input: [frame(4, 0, 1)], ...connectionError("PROTOCOL_ERROR") },
  { name: "SETTINGS of five bytes", input: [frame(4, 0, 0, "12345")], ...connectionError("FRAME_SIZE_ERROR") },
  {
    name: "an acknowledgement with a payload",
    input: [frame(4, 1, 0, "123456")],
    ...connectionError("FRAME_SIZE_ERROR"),
  },
  { name: "ENABLE_PUSH of 2", input: [settings([2, 2])], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "INITIAL_WINDOW_SIZE above 2^31-1",
    input: [settings([4, 0x80000000])],
    ...connectionError("FLOW_CONTROL_ERROR"),
  },
  { name: "MAX_FRAME_SIZE below 16384", input: [settings([5, 16_383])], ...connectionError("PROTOCOL_ERROR") },
  { name: "MAX_FRAME_SIZE above 2^24-1", input: [settings([5, 16_777_216])], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "PUSH_PROMISE",
    input: [frame(5, 4, 1, Buffer.concat([uint32(2), block(GET)]))],
    ...connectionError("PROTOCOL_ERROR"),
  },
  { name: "PING on a stream", input: [frame(6, 0, 1, "12345678")], ...connectionError("PROTOCOL_ERROR") },
  { name: "PING of six bytes", input: [frame(6, 0, 0, "123456")], ...connectionError("FRAME_SIZE_ERROR") },
  { name: "GOAWAY on a stream", input: [frame(7, 0, 1, uint32(0, 0))], ...connectionError("PROTOCOL_ERROR") },
  { name: "GOAWAY of four bytes", input: [frame(7, 0, 0, uint32(0))], ...connectionError("FRAME_SIZE_ERROR") },
  { name: "WINDOW_UPDATE of zero", input: [windowUpdate(0, 0)], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "WINDOW_UPDATE of zero on a stream that has ended",
    input: [headers(1, GET, OPEN), frame(3, 0, 1, uint32(8)), windowUpdate(1, 0)],
    ...connectionError("PROTOCOL_ERROR", 1),
    want: ["1 head GET / chunked host=a", "1 reset CANCEL by peer", "error PROTOCOL_ERROR"],
  },
  { name: "WINDOW_UPDATE of three bytes", input: [frame(8, 0, 0, "123")], ...connectionError("FRAME_SIZE_ERROR") },
  { name: "WINDOW_UPDATE on an idle stream", input: [windowUpdate(1, 1)], ...connectionError("PROTOCOL_ERROR") },
  {
    name: "a connection window above 2^31-1",
    input: [windowUpdate(0, 0x7fffffff)],
    ...connectionError("FLOW_CONTROL_ERROR"),
  },
  {
    name: "flood: empty DATA",
    input: [headers(1, POST, OPEN), data(1, ""), data(1, "")],
    want: ["1 head POST / chunked host=a", "error ENHANCE_YOUR_CALM http2.inbound_empty_frames_flood"],
    wrote: ["GOAWAY 1 ENHANCE_YOUR_CALM"],
  },
  {
    name: "flood: padded empty DATA",
    input: [headers(1, POST, OPEN), data(1, "\u0001\0", PADDED), data(1, "\0", PADDED)],
    want: ["1 head POST / chunked host=a", "error ENHANCE_YOUR_CALM http2.inbound_empty_frames_flood"],
    wrote: ["GOAWAY 1 ENHANCE_YOUR_CALM"],
  },
  {
    name: "flood: empty CONTINUATION",
    input: [frame(1, 1, 1, block(GET)), continuation(1, Buffer.alloc(0), 0), continuation(1, Buffer.alloc(0), 0)],
    ...calm("http2.inbound_empty_frames_flood"),
  },
  {
    name: "flood: many CONTINUATION frames",
    input: [frame(1, 1, 1, block(GET)), ...Array<Buffer>(9).fill(continuation(1, Buffer.of(0x82), 0))],
    ...calm("http2.continuation_flood"),
  },
  {
    name: "flood: a header block without end",
    input: [frame(1, 1, 1, Buffer.alloc(16_384)), ...Array<Buffer>(4).fill(continuation(1, Buffer.alloc(16_384), 0))],
    ...calm("http2.headers_too_large"),
  },
  {
    name: "flood: PRIORITY",
    input: Array<Buffer>(101).fill(priority(1, 3)),
    ...calm("http2.inbound_priority_frames_flood"),
  },
  {
    name: "flood: WINDOW_UPDATE",
    input: [windowUpdate(0, 1), windowUpdate(0, 1)],
    ...calm("http2.inbound_window_update_frames_flood"),
  },
  {
    name: "flood: settings in one frame",
    input: [settings(...Array<readonly [number, number]>(33).fill([9, 1]))],
    ...calm("http2.settings_flood"),
  },
];

const cases = [...messages, ...streamErrors, ...connectionErrors];

/** Feeds the bytes in pieces of the given lengths, then the rest. */
function run(c: Case, cuts: (length: number) => readonly number[]): { events: string[]; wrote: string[] } {
  const bytes = Buffer.concat([...(c.start ?? [PREFACE, settings()]), ...c.input]);
  const connection = createHttp2Connection({
    role: "server",
    monotonic: () => 0,
    ...(c.settings === undefined ? {} : { settings: c.settings }),
    ...(c.limits === undefined ? {} : { limits: c.limits }),
  });
  const events: string[] = [];
  let at = 0;
  for (const end of [...cuts(bytes.length), bytes.length]) {
    // The caller's read buffer: overwritten after each round.
    const piece = Buffer.from(bytes.subarray(at, end));
    connection.feed(piece, 0, piece.length);
    for (;;) {
      const event = connection.next();
      const line = describeEvent(event);
      const last = events.at(-1);
      if (event.kind === "body" && last?.startsWith(`${event.streamId} body `))
        events[events.length - 1] = last + line.slice(`${event.streamId} body `.length);
      else if (event.kind !== "need-data" && (event.kind !== "error" || line !== last)) events.push(line);
      if (event.kind === "need-data" || event.kind === "error") break;
    }
    piece.fill(0xee);
    at = end;
  }
  return { events, wrote: createWireReader()(connection.takeOutput()) };
}

for (const c of cases) {
  const whole = run(c, () => []);
  test(c.name, () => {
    const isStarted = c.start === undefined;
    assert.deepEqual(whole.events, [...(isStarted ? ["settings"] : []), ...c.want]);
    if (c.wrote !== undefined)
      assert.deepEqual(whole.wrote, [
        "SETTINGS",
        "WINDOW_UPDATE 0 983041",
        ...(isStarted ? ["SETTINGS ack"] : []),
        ...c.wrote,
      ]);
  });
  test(`${c.name} (byte by byte)`, () => {
    assert.deepEqual(
      run(c, (length) => Array.from({ length: Math.min(length, 3000) }, (_, i) => i)),
      whole,
    );
  });
}

test("any split of the same bytes gives the same events and answers", () => {
  const small = cases.filter((c) => c.input.reduce((sum, piece) => sum + piece.length, 0) < 2000);
  fc.assert(
    fc.property(fc.constantFrom(...small), fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), (c, cuts) => {
      const split = run(c, (length) => cuts.filter((cut) => cut < length).sort((a, b) => a - b));
      assert.deepEqual(
        split,
        run(c, () => []),
      );
    }),
    { numRuns: 500 },
  );
});

test("any bytes after the preface end in events or one error, never in an exception", () => {
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 1, 1, 3, 2),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)));
  const good = fc.constantFrom(
    headers(1, GET),
    headers(1, POST, OPEN),
    headers(3, POST, OPEN),
    data(1, "abc"),
    settings([4, 0]),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(anyFrame, good), { maxLength: 12 }), (input) => {
      run({ name: "", input, want: [] }, () => []);
    }),
    { numRuns: 3000 },
  );
});
