import assert from "node:assert/strict";
import test from "node:test";
import {
  block,
  createWireReader,
  data,
  describeEvent,
  END_HEADERS,
  type Field,
  frame,
  headers,
  PREFACE,
  ping,
  reset,
  settings,
  windowUpdate,
} from "../../test/http2-wire.ts";
import { createHeaderBlock } from "../headers/text-header-block.ts";
import { createHttp2Connection, type Http2ServerConnection } from "./connection.ts";
import type { Http2Limits } from "./options.ts";

const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a"],
];

function start(limits: Partial<Http2Limits> = {}): { server: Http2ServerConnection; clock: { now: number } } {
  const clock = { now: 0 };
  const server = createHttp2Connection({ role: "server", monotonic: () => clock.now, limits });
  drive(server, PREFACE, settings());
  server.takeOutput();
  return { server, clock };
}

/** The lines of everything but heads, ends and settings. */
function drive(server: Http2ServerConnection, ...input: readonly Buffer[]): string[] {
  const bytes = Buffer.concat(input);
  const lines: string[] = [];
  server.feed(bytes, 0, bytes.length);
  for (;;) {
    const event = server.next();
    if (event.kind === "need-data") return lines;
    if (event.kind !== "head" && event.kind !== "end" && event.kind !== "settings") lines.push(describeEvent(event));
    if (event.kind === "error") return lines;
  }
}

const respond = (server: Http2ServerConnection, id: number) =>
  server.sendResponse(id, { status: 200, headers: createHeaderBlock() }, true);
const TOO_MANY_RESETS = "error ENHANCE_YOUR_CALM http2.too_many_premature_resets";

test("rapid reset ends the connection at 250 resets, as Envoy does", () => {
  const { server } = start();
  let resets = 0;
  for (let id = 1; id < 2000; id += 2) {
    const lines = drive(server, headers(id, GET), reset(id));
    server.takeOutput();
    resets += 1;
    if (lines.includes(TOO_MANY_RESETS)) break;
  }
  assert.equal(resets, 250);
});

test("resets of streams that lived a second, and of less than half, are no attack", () => {
  const { server, clock } = start();
  for (let i = 0; i < 2000; i += 1) {
    const id = 2 * i + 1;
    const isSlow = i % 2 === 0;
    const isServed = i % 4 === 1 || i % 4 === 3;
    drive(server, headers(id, GET));
    if (isSlow) clock.now += 1001;
    if (isServed) respond(server, id);
    assert.deepEqual(drive(server, reset(id)), isServed ? [] : [`${id} reset CANCEL by peer`]);
    server.takeOutput();
  }
});

test("making the server reset counts the same", () => {
  const { server } = start();
  let resets = 0;
  for (let id = 1; id < 2000; id += 2) {
    const lines = drive(server, headers(id, GET), windowUpdate(id, 0));
    server.takeOutput();
    resets += 1;
    if (lines.includes(TOO_MANY_RESETS)) break;
  }
  assert.equal(resets, 250);
});

for (const [name, input] of [
  ["PING", ping()],
  ["SETTINGS", settings([4, 70_000])],
] as const) {
  test(`${name} floods end when a thousand answers wait, and not when they are taken`, () => {
    const { server } = start();
    drive(server, headers(1, GET, END_HEADERS), reset(1));
    const hundred = Array<Buffer>(100).fill(input);
    for (let i = 0; i < 30; i += 1) {
      assert.deepEqual(drive(server, ...hundred), []);
      server.takeOutput();
    }
    assert.deepEqual(drive(server, ...Array<Buffer>(1001).fill(input)), [
      "error ENHANCE_YOUR_CALM http2.outbound_control_frames_flood",
    ]);
    assert.equal(createWireReader()(server.takeOutput()).at(-1), "GOAWAY 1 ENHANCE_YOUR_CALM");
  });
}

test("a peer that opens its window byte by byte is cut when ten thousand frames wait", () => {
  const { server } = start({ maxInboundWindowUpdateFramesPerDataFrameSent: 1000 });
  drive(server, settings([4, 0]), headers(1, GET));
  server.sendResponse(1, { status: 200, headers: createHeaderBlock() }, false);
  const body = Buffer.alloc(20_000);
  let sent = 0;
  let lines: string[] = [];
  server.sendBody(1, body, 0, 1);
  for (let i = 0; i < 11_000 && !lines.some((line) => line.startsWith("error")); i += 1) {
    lines = drive(server, windowUpdate(1, 1));
    if (lines.length === 1 && lines[0] === "1 window-available") sent += server.sendBody(1, body, 0, body.length);
  }
  assert.deepEqual(lines, ["error ENHANCE_YOUR_CALM http2.outbound_frames_flood"]);
  assert.ok(sent > 9900 && sent <= 10_000, `${sent} bytes were sent`);
});

test("a block of references to a large entry costs what the limit says, however small it is", () => {
  const { server } = start();
  drive(server, headers(1, [...GET, ["x-big", "v".repeat(2900)]]));
  const bomb = Buffer.concat([block(GET.slice(0, 3)), Buffer.alloc(10_000, 0xbe)]);
  const before = process.memoryUsage().heapUsed;
  for (let id = 3; id < 203; id += 2) {
    assert.deepEqual(drive(server, frame(1, 5, id, bomb)), [`${id} reset NO_ERROR`]);
    server.takeOutput();
  }
  assert.ok(process.memoryUsage().heapUsed - before < 20_000_000);
  assert.equal(server.openStreams, 1);
});

test("a header block over many frames is cut at the limit, not gathered", () => {
  const { server } = start();
  const part = Buffer.alloc(16_384, 0);
  const lines = drive(server, frame(1, 0, 1, part), ...Array<Buffer>(3).fill(frame(9, 0, 1, part)));
  assert.deepEqual(lines, ["error ENHANCE_YOUR_CALM http2.headers_too_large"]);
});

test("streams beyond the limit keep no state, and resets are remembered for a while only", () => {
  const { server } = start();
  for (let id = 1; id < 20_001; id += 2) {
    drive(server, headers(id, GET));
    server.takeOutput();
  }
  assert.equal(server.openStreams, 1024);
});

test("after the error nothing is read and commands are dropped", () => {
  const { server } = start();
  drive(server, headers(1, GET));
  const error = "error PROTOCOL_ERROR";
  assert.deepEqual(drive(server, data(0, "x")), [error]);
  assert.deepEqual(drive(server, headers(3, GET)), [error]);
  server.takeOutput();
  respond(server, 1);
  server.resetStream(1, 8);
  server.ping(1);
  server.goaway(0);
  assert.equal(server.sendBody(1, Buffer.alloc(9), 0, 9), 9);
  assert.equal(server.hasOutput, false);
});

test("draining takes what was under way, then refuses", () => {
  const { server } = start();
  const read = createWireReader();
  drive(server, headers(1, GET));
  server.drain();
  const [first, second] = read(server.takeOutput());
  assert.deepEqual([first, second], ["GOAWAY 2147483647 NO_ERROR", "PING"]);
  drive(server, headers(3, GET));
  assert.deepEqual([server.openStreams, server.isDrained], [2, false]);
  drive(server, frame(6, 1, 0, Buffer.of(2, 0, 0, 0, 0, 0, 0, 0)));
  drive(server, headers(5, GET));
  assert.deepEqual(read(server.takeOutput()), ["GOAWAY 3 NO_ERROR", "RST_STREAM 5 REFUSED_STREAM"]);
  respond(server, 1);
  respond(server, 3);
  assert.equal(server.isDrained, true);
});
