/** HTTP/2, both sides, and HPACK: no exception, any split gives the same events, what waits to be written stays bounded, heads survive a round trip. */
import { createHeaderBlock, createHttp2Connection, type Http2Event } from "@argyle/codec";
import { HpackDecoder } from "../../../packages/codec/src/hpack/decoder.ts";
import { HpackEncoder } from "../../../packages/codec/src/hpack/encoder.ts";
import type { HeaderEntry } from "../../../packages/codec/src/hpack/header-entry.ts";
import { OutputBuffer } from "../../../packages/codec/src/hpack/output.ts";
import { copyOf, same, type Target, Violation } from "../target.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** What an input of a few kilobytes may make us want to say. */
const MAX_OUTPUT = 256 * 1024;

function eventsOf(role: "server" | "client", pieces: readonly Buffer[]): readonly string[] {
  const connection = createHttp2Connection({ role: role as "server", monotonic: () => 0 });
  if (role === "client") {
    const client = connection as unknown as ReturnType<typeof createClient>;
    const headers = createHeaderBlock([["host", "a"]]);
    for (let i = 0; i < 3; i++) client.sendRequest({ method: "GET", scheme: "http", target: "/", headers }, i > 0);
  }
  connection.takeOutput();
  const events: string[] = [];
  const bodies = new Map<number, string>();
  for (const piece of pieces) {
    const own = copyOf(piece);
    connection.feed(own, 0, own.length);
    for (let steps = 0; ; steps++) {
      if (steps > 100_000) throw new Violation("the connection never says need-data");
      const event: Http2Event<{ readonly headers: { encode(): string } }> = connection.next();
      if (event.kind === "need-data") break;
      if (event.kind === "body") {
        const text = event.buffer.toString("latin1", event.start, event.end);
        bodies.set(event.streamId, (bodies.get(event.streamId) ?? "") + text);
        connection.consume(event.streamId, event.end - event.start);
        continue;
      }
      events.push(describe(event));
      if (event.kind === "error" || event.kind === "closed") return [...events, ...bodyLines(bodies)];
    }
    if (connection.outputLength > MAX_OUTPUT) throw new Violation("the output grows without bound");
  }
  return [...events, ...bodyLines(bodies)];
}

const createClient = () => createHttp2Connection({ role: "client", monotonic: () => 0 });

function bodyLines(bodies: ReadonlyMap<number, string>): readonly string[] {
  return [...bodies].map(([id, text]) => `body ${id} ${JSON.stringify(text)}`);
}

function describe(event: Http2Event<{ readonly headers: { encode(): string } }>): string {
  switch (event.kind) {
    case "head":
    case "informational":
      return `${event.kind} ${event.streamId} ${event.head.headers.encode()}`;
    case "trailers":
      return `trailers ${event.streamId} ${event.headers.encode()}`;
    case "error":
      return `error ${event.error.code} ${event.error.details}`;
    case "settings":
      return "settings";
    case "reset":
      return `reset ${event.streamId} ${event.code}`;
    case "goaway":
      return `goaway ${event.lastStreamId} ${event.code}`;
    default:
      return `${event.kind} ${"streamId" in event ? event.streamId : ""}`;
  }
}

function check(role: "server" | "client", bytes: Buffer, cut: (input: Buffer) => readonly Buffer[]): void {
  const input = role === "server" ? Buffer.concat([Buffer.from(PREFACE), bytes]) : bytes;
  const whole = eventsOf(role, [input]);
  same("another split gives other events", eventsOf(role, cut(input)), whole);
}

function decodeBlock(decoder: HpackDecoder, block: Buffer): readonly HeaderEntry[] | undefined {
  const fields: HeaderEntry[] = [];
  return decoder.decode(copyOf(block), 0, block.length, { field: (entry) => void fields.push(entry) })
    ? fields
    : undefined;
}

/** What could be decoded is encoded, twice since the tables then differ, and decoded again. */
function checkHpack(input: Buffer): void {
  const fields = decodeBlock(new HpackDecoder(4096), input);
  if (fields === undefined) return;
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  const output = new OutputBuffer();
  const lines = (list: readonly HeaderEntry[] | undefined) => list?.map(({ name, value }) => `${name}: ${value}`);
  for (let round = 0; round < 2; round++) {
    encoder.begin(output);
    for (const entry of fields) encoder.entry(entry, output);
    same("the fields came back changed", lines(decodeBlock(decoder, output.take())), lines(fields));
  }
}

const frame = (type: number, flags: number, stream: number, payload: string): string => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head.toString("latin1") + payload;
};
const FRAMES: readonly string[] = [
  frame(4, 0, 0, ""),
  frame(4, 1, 0, ""),
  frame(4, 0, 0, "\0\x03\0\0\0\x64"),
  frame(4, 0, 0, "\0\x04\x7f\xff\xff\xff"),
  frame(1, 5, 1, "\x82\x86\x84\x41\x01a"),
  frame(1, 4, 3, "\x83\x86\x84\x41\x01a"),
  frame(1, 1, 5, "\x82\x86"),
  frame(9, 4, 5, "\x84\x41\x01a"),
  frame(0, 0, 3, "hello"),
  frame(0, 1, 3, ""),
  frame(0, 9, 3, "\x02hi\0\0"),
  frame(2, 0, 3, "\0\0\0\0\x10"),
  frame(3, 0, 3, "\0\0\0\x08"),
  frame(6, 0, 0, "12345678"),
  frame(6, 1, 0, "12345678"),
  frame(7, 0, 0, "\0\0\0\0\0\0\0\0"),
  frame(8, 0, 0, "\0\0\xff\xff"),
  frame(8, 0, 1, "\x7f\xff\xff\xff"),
  frame(5, 4, 1, "\0\0\0\x02\x82"),
  frame(1, 4, 1, "\x88"),
  frame(1, 5, 1, "\x88\x0f\x0d\x010"),
  frame(1, 4, 3, "\x48\x03103"),
];

export const HTTP2_TARGETS: readonly Target[] = [
  { name: "http2-server", dictionary: FRAMES, check: (input, cut) => check("server", input, cut) },
  { name: "http2-client", dictionary: FRAMES, check: (input, cut) => check("client", input, cut) },
  {
    name: "hpack",
    dictionary: [
      "\x82",
      "\x40\x03abc\x01x",
      "\x00\x03abc\x01x",
      "\x10\x01a\x01b",
      "\x20",
      "\x3f\xe1\x1f",
      "\xbe",
      "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
      "\x0f\x0d\x010",
      "\xff\xff\xff\xff\xff\x0f",
    ],
    check: checkHpack,
  },
];
