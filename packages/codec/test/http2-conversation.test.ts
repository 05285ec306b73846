/** The codec against itself in memory: random requests and answers over a wire that delivers random pieces, with small windows and slow readers. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createHeaderBlock } from "../src/headers/text-header-block.ts";
import { createHttp2Connection, type Http2Connection } from "../src/http2/connection.ts";
import type { Http2Event } from "../src/http2/events.ts";
import { fieldsText } from "./http2-wire.ts";

interface Message {
  readonly fields: readonly (readonly [string, string])[];
  readonly bodyLength: number;
  readonly hasTrailers: boolean;
}
interface Received {
  head: string;
  body: string;
  trailers: string;
  outcome: string;
}

const field = fc.tuple(
  fc.constantFrom("x-a", "x-b", "cookie", "content-type", "authorization", "x-request-id"),
  fc.oneof(
    fc.constantFrom("", "1", "session=0123456789012345"),
    fc.integer({ min: 1, max: 3000 }).map((n) => "v".repeat(n)),
  ),
);
const message = fc.record({
  fields: fc.uniqueArray(field, { maxLength: 5, selector: ([name]) => name }),
  bodyLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 40_000 })),
  hasTrailers: fc.boolean(),
});
/** isReset: the server resets instead of answering. */
const exchange = fc.record({
  request: message,
  response: message,
  isReset: fc.constantFrom(true, false, false, false),
});

const bodyOf = (length: number, seed: number) =>
  Buffer.from(Array.from({ length }, (_, i) => 97 + ((i * 7 + seed) % 26)));
const TRAILERS = createHeaderBlock([["x-end", "1"]]);

/** One end of the wire: sends messages as windows allow and keeps what came. */
function createSide<H>(connection: Http2Connection<H>, onEnd: (id: number) => void) {
  const received = new Map<number, Received>();
  const sending = new Map<number, { rest: Buffer; hasTrailers: boolean }>();
  const unread: { id: number; bytes: number }[] = [];
  const pump = (id: number) => {
    const state = sending.get(id);
    if (state === undefined) return;
    const taken = connection.sendBody(id, state.rest, 0, state.rest.length);
    state.rest = state.rest.subarray(taken);
    if (state.rest.length > 0) return;
    sending.delete(id);
    if (state.hasTrailers) connection.sendTrailers(id, TRAILERS);
    else connection.endStream(id);
  };
  const on = (event: Http2Event<H>, text: (head: H) => string) => {
    if (event.kind === "head")
      received.set(event.streamId, { head: text(event.head), body: "", trailers: "", outcome: "" });
    if (!("streamId" in event)) {
      assert.ok(event.kind === "settings" || event.kind === "need-data", `${event.kind} was not expected`);
      return;
    }
    const message = received.get(event.streamId);
    switch (event.kind) {
      case "body":
        assert.ok(message !== undefined);
        message.body += event.buffer.toString("latin1", event.start, event.end);
        unread.push({ id: event.streamId, bytes: event.end - event.start });
        return;
      case "trailers":
        if (message !== undefined) message.trailers = fieldsText(event.headers);
        return;
      case "end":
        assert.ok(message !== undefined && message.outcome === "");
        message.outcome = "end";
        onEnd(event.streamId);
        return;
      case "reset":
        sending.delete(event.streamId);
        if (message === undefined) received.set(event.streamId, { head: "", body: "", trailers: "", outcome: "reset" });
        else message.outcome = "reset";
        return;
      case "window-available":
        pump(event.streamId);
        return;
    }
  };
  return {
    received,
    unread,
    on,
    send(id: number, body: Buffer, hasTrailers: boolean) {
      sending.set(id, { rest: body, hasTrailers });
      pump(id);
    },
  };
}

test("random conversations arrive as they were sent, over any wire, and leave nothing behind", () => {
  const property = fc.property(
    fc.array(exchange, { minLength: 1, maxLength: 6 }),
    fc.constantFrom(1, 7, 1000, 65_535),
    fc.infiniteStream(fc.integer({ min: 1, max: 3000 })),
    (exchanges, window, sizes) => {
      const settings = { initialStreamWindow: Math.max(window, 100), initialConnectionWindow: 65_535 };
      const limits = { maxInboundWindowUpdateFramesPerDataFrameSent: 1000 };
      const client = createHttp2Connection({ role: "client", monotonic: () => 0, settings, limits });
      const server = createHttp2Connection({ role: "server", monotonic: () => 0, settings, limits });
      const ids = new Map<number, number>();
      const clientSide = createSide(client, () => undefined);
      const serverSide = createSide(server, (id) => {
        const index = ids.get(id) ?? 0;
        const { response, isReset } = exchanges[index] ?? assert.fail();
        if (isReset) {
          server.resetStream(id, 2);
          return;
        }
        server.sendResponse(id, { status: 400 + index, headers: createHeaderBlock(response.fields) }, false);
        serverSide.send(id, bodyOf(response.bodyLength, index + 50), response.hasTrailers);
      });
      for (const [index, { request }] of exchanges.entries()) {
        const id = client.sendRequest(
          {
            method: "POST",
            scheme: "http",
            authority: "a",
            target: `/${index}`,
            headers: createHeaderBlock(request.fields),
          },
          false,
        );
        ids.set(id, index);
        clientSide.send(id, bodyOf(request.bodyLength, index), request.hasTrailers);
      }
      let toServer = Buffer.alloc(0);
      let toClient = Buffer.alloc(0);
      for (let round = 0; ; round += 1) {
        assert.ok(round < 100_000, "the conversation stands still");
        toServer = Buffer.concat([toServer, client.takeOutput()]);
        toClient = Buffer.concat([toClient, server.takeOutput()]);
        toServer = deliver(server, toServer, sizes.next().value, (event) =>
          serverSide.on(event, (h) => `${h.target} ${fieldsText(h.headers)}`),
        );
        toClient = deliver(client, toClient, sizes.next().value, (event) =>
          clientSide.on(event, (h) => `${h.status} ${fieldsText(h.headers)}`),
        );
        // A slow reader: one piece a round.
        for (const [connection, side] of [
          [client, clientSide],
          [server, serverSide],
        ] as const) {
          const piece = side.unread.shift();
          if (piece !== undefined) connection.consume(piece.id, piece.bytes);
        }
        const isQuiet = toServer.length + toClient.length === 0 && !client.hasOutput && !server.hasOutput;
        if (isQuiet && clientSide.unread.length + serverSide.unread.length === 0) break;
      }
      for (const [id, index] of ids) {
        const { request, response, isReset } = exchanges[index] ?? assert.fail();
        assert.deepEqual(serverSide.received.get(id), expected(`/${index}`, request, index, " host=a"));
        if (isReset) assert.equal(clientSide.received.get(id)?.outcome, "reset");
        else assert.deepEqual(clientSide.received.get(id), expected(`${400 + index}`, response, index + 50, ""));
      }
      assert.deepEqual([client.openStreams, server.openStreams], [0, 0]);
    },
  );
  fc.assert(property, { numRuns: 150 });
});

function expected(start: string, sent: Message, seed: number, host: string): Received {
  const fields = sent.fields.map(([name, value]) => `${name}=${value}`).join(" ");
  return {
    head: `${start} ${fields}${fields === "" ? host.trimStart() : host}`,
    body: bodyOf(sent.bodyLength, seed).toString("latin1"),
    trailers: sent.hasTrailers ? "x-end=1" : "",
    outcome: "end",
  };
}

/** Feeds up to `size` bytes; returns the others. */
function deliver<H>(
  to: Http2Connection<H>,
  bytes: Buffer,
  size: number,
  on: (event: Http2Event<H>) => void,
): Buffer<ArrayBuffer> {
  const piece = Buffer.from(bytes.subarray(0, size));
  to.feed(piece, 0, piece.length);
  for (let event = to.next(); ; event = to.next()) {
    on(event);
    if (event.kind === "need-data") break;
  }
  piece.fill(0xee);
  return Buffer.from(bytes.subarray(size));
}
