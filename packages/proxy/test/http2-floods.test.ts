/**
 * What a hostile client can send for little, on a live listener: the connection is ended (GOAWAY, then closed), memory stays bounded, and another
 * client is served meanwhile. CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27919, CVE-2026-47774.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { httpListener, startProxy, staticCluster } from "./harness.ts";
import { ask, connectHttp2, http2Options, startHttp2Upstream } from "./http2-client.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/**
 * More than any of these attacks needs before it is noticed: answers that are not read fill the kernel's buffers of both ends first, which
 * Linux lets grow to tens of megabytes on loopback (PING: ended after 48 to 67 MB).
 */
const MAX_SENT = 256 * 1024 * 1024;
/** What is sent may still wait in the kernel: so long has the proxy to come to it. */
const MAX_WAIT_MS = 15_000;
const MAX_SENT_HARMLESS = 2 * 1024 * 1024;
const MAX_GROWTH = 48 * 1024 * 1024;
const OTHER = { head: { ":path": "/other" } };
/** :method GET, :scheme http, :path /, :authority a */
const GET = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x61]);

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const SETTINGS = frame(4, 0, 0);
const many = (piece: Buffer, count: number) => Buffer.concat(Array.from({ length: count }, () => piece));

interface Flood {
  readonly name: string;
  /** What is sent after the preface, again and again; `turn` counts from 0. */
  readonly batch: (turn: number) => Buffer;
  readonly isRead?: boolean;
  /** Each request is answered for itself (431): the connection may go on. */
  readonly isHarmless?: boolean;
}

const opened = (turn: number, count: number, build: (stream: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => build((turn * count + i) * 2 + 1)));

const FLOODS: readonly Flood[] = [
  {
    name: "rapid reset",
    isRead: true,
    batch: (turn) => opened(turn, 500, (id) => Buffer.concat([frame(1, 5, id, GET), frame(3, 0, id, uint32(8))])),
  },
  {
    name: "CONTINUATION without end",
    isRead: true,
    batch: (turn) =>
      Buffer.concat([turn === 0 ? frame(1, 1, 1, GET) : Buffer.alloc(0), many(frame(9, 0, 1, Buffer.alloc(1024)), 32)]),
  },
  {
    name: "empty CONTINUATION",
    isRead: true,
    batch: (turn) => (turn === 0 ? frame(1, 1, 1, GET) : many(frame(9, 0, 1), 1000)),
  },
  { name: "SETTINGS, answers not read", batch: () => many(SETTINGS, 4000) },
  { name: "SETTINGS, answers read", isRead: true, batch: () => many(SETTINGS, 4000) },
  { name: "PING, answers not read", batch: () => many(frame(6, 0, 0, Buffer.alloc(8)), 4000) },
  {
    name: "empty DATA",
    isRead: true,
    batch: (turn) => Buffer.concat([turn === 0 ? frame(1, 4, 1, GET) : Buffer.alloc(0), many(frame(0, 0, 1), 1000)]),
  },
  { name: "PRIORITY", isRead: true, batch: () => many(frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 9])), 4000) },
  { name: "WINDOW_UPDATE", isRead: true, batch: () => many(frame(8, 0, 0, uint32(1)), 4000) },
  { name: "requests whose answers are not read", batch: (turn) => opened(turn, 1000, (id) => frame(1, 5, id, GET)) },
  {
    name: "a large field named again and again",
    isRead: true,
    isHarmless: true,
    // A cookie of 4,000 bytes goes into the dynamic table once, then costs one byte each time.
    batch: (turn) =>
      opened(turn, 50, (id) => {
        const cookie = Buffer.concat([Buffer.from([0x60, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, "c")]);
        const block = Buffer.concat([GET, id === 1 ? cookie : Buffer.alloc(0), Buffer.alloc(12_000, 0xbe)]);
        return frame(1, 5, id, block);
      }),
  },
];

/** Sends until the other side ends it or everything is sent; true: it was ended. */
function attack(port: number, flood: Flood): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: "127.0.0.1", port });
    let sent = 0;
    let turn = 0;
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(true));
    socket.on("end", () => resolve(true));
    if (flood.isRead === true) socket.resume();
    else socket.pause();
    const send = () => {
      if (socket.destroyed) return;
      if (sent >= (flood.isHarmless === true ? MAX_SENT_HARMLESS : MAX_SENT)) {
        const giveUp = () => {
          socket.destroy();
          resolve(false);
        };
        if (flood.isHarmless === true) giveUp();
        else socket.once("close", clearTimeout.bind(undefined, setTimeout(giveUp, MAX_WAIT_MS)));
        return;
      }
      const batch = flood.batch(turn);
      turn += 1;
      sent += batch.length;
      // A small pause lets the proxy read as it comes.
      socket.write(batch, () => setImmediate(send));
    };
    socket.on("connect", () => {
      socket.write(PREFACE);
      socket.write(SETTINGS);
      send();
    });
  });
}

for (const flood of FLOODS)
  test(`flood: ${flood.name}`, { timeout: 30_000 }, async (t) => {
    const upstream = await startHttp2Upstream(t, (stream) => {
      stream.resume();
      stream.respond({ ":status": 200, "x-fill": "f".repeat(200) });
      stream.end("ok");
    });
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port], http2Options())],
      listeners: [
        httpListener([
          { match: { path: "/" }, direct_response: { status: 200, body: { inline_string: "y".repeat(200) } } },
          { match: { prefix: "/" }, route: { cluster: "a" } },
        ]),
      ],
    });
    const session = await connectHttp2(t, h.port());
    assert.equal((await ask(session, OTHER)).status, 200);
    const before = process.memoryUsage();
    const isEnded = attack(h.port(), flood);
    const isOver = { value: false };
    void isEnded.then(() => {
      isOver.value = true;
    });
    let served = 0;
    let peak = 0;
    do {
      assert.equal((await ask(session, OTHER)).status, 200);
      served += 1;
      const now = process.memoryUsage();
      peak = Math.max(peak, now.arrayBuffers - before.arrayBuffers);
    } while (!isOver.value);
    assert.ok((await isEnded) || flood.isHarmless === true, "the connection was not ended");
    assert.ok(served > 0);
    assert.ok(peak < MAX_GROWTH, `buffers grew by ${peak} bytes`);
    assert.equal((await ask(session, OTHER)).status, 200);
  });
