/** The HTTP/2 side towards clients: tunnels, drain, local replies, backpressure, time-outs. */
import assert from "node:assert/strict";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { TYPE_URL } from "../src/resource-sink.ts";
import { exchange, httpListener, replying, startProxy, startUpstream, staticCluster } from "./harness.ts";
import { ask, connectHttp2, http2Options, startHttp2Upstream } from "./http2-client.ts";

const route = (extra: object = {}) => ({ match: { prefix: "/" }, route: { cluster: "a", ...extra } });
const WEBSOCKET = { upgrade_configs: [{ upgrade_type: "websocket" }], http2_protocol_options: { allow_connect: true } };

/** Opens an extended CONNECT and gives its status and what comes. */
function openTunnel(session: http2.ClientHttp2Session, path = "/chat") {
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": path,
    ":authority": "shop",
  });
  const seen = { status: 0, text: "", ended: false };
  stream.on("response", (headers) => {
    seen.status = Number(headers[":status"]);
  });
  stream.on("data", (piece: Buffer) => {
    seen.text += piece.toString("latin1");
  });
  stream.on("end", () => {
    seen.ended = true;
  });
  stream.on("error", () => undefined);
  return { stream, seen };
}

/** An HTTP/1 server that agrees to every upgrade and gives bytes back. */
const upgrading = (_received: string, socket: Socket, connection: { bytes: string }) => {
  const end = connection.bytes.indexOf("\r\n\r\n");
  if (connection.bytes.startsWith("GET") && end !== -1) {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    connection.bytes = connection.bytes.slice(end + 4);
  }
  if (connection.bytes !== "" && !connection.bytes.startsWith("GET")) socket.write(`<${connection.bytes}>`);
  connection.bytes = "";
};

test("extended CONNECT is an upgrade for an HTTP/1.1 upstream", async (t) => {
  const upstream = await startUpstream(t, upgrading);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route()], WEBSOCKET)],
  });
  const session = await connectHttp2(t, h.port());
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  const { stream, seen } = openTunnel(session);
  await eventually("200", () => assert.equal(seen.status, 200));
  assert.match(upstream.received[0] ?? "", /^GET \/chat HTTP\/1\.1\r\nhost: shop\r\n/);
  assert.match(upstream.received[0] ?? "", /connection: upgrade\r\nupgrade: websocket\r\n/);
  stream.write("ping");
  await eventually("echo", () => assert.equal(seen.text, "<ping>"));
  // Another request on the same connection goes on meanwhile.
  const refused = openTunnel(session, "/x#y");
  await eventually("refused", () => assert.equal(refused.seen.status, 400));
  stream.end();
  await eventually("log", () => assert.ok(h.logs.some((line) => line.startsWith("101 - via_upstream 1 /chat"))));
});

test("an HTTP/1.1 upgrade is an extended CONNECT for an HTTP/2 upstream", async (t) => {
  const heads: http2.IncomingHttpHeaders[] = [];
  const upstream = await startHttp2Upstream(
    t,
    (stream, headers) => {
      heads.push(headers);
      stream.respond({ ":status": 200 });
      stream.on("data", (piece: Buffer) => stream.write(`<${piece.toString()}>`));
      stream.on("end", () => stream.end());
    },
    { settings: { enableConnectProtocol: true } },
  );
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()], WEBSOCKET)],
  });
  // The server's SETTINGS must be there before it is asked.
  await exchange(h.port(), "GET /first HTTP/1.1\r\nHost: shop\r\n\r\n", (text) => text.startsWith("HTTP/1.1 200"));
  const text = await exchange(
    h.port(),
    ["GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "ping"],
    (received) => received.endsWith("<ping>"),
  );
  assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(text, /upgrade: websocket\r\n/);
  const head = heads.at(-1);
  assert.equal(head?.[":method"], "CONNECT");
  assert.equal(head?.[":protocol"], "websocket");
  assert.equal(head?.upgrade, undefined);
});

test("a replaced listener says GOAWAY, answers what is under way, and closes", async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream) => void waiting.push(stream));
  const listener = httpListener([route()]);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [listener],
  });
  const session = await connectHttp2(t, h.port());
  let isGoing = false;
  session.on("goaway", () => {
    isGoing = true;
  });
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  const answers = [ask(session, { head: { ":path": "/1" } }), ask(session, { head: { ":path": "/2" } })];
  await eventually("both under way", () => assert.equal(waiting.length, 2));
  h.apply(TYPE_URL.listener, { ...listener, stat_prefix: "changed" });
  await eventually("GOAWAY", () => assert.ok(isGoing));
  for (const stream of waiting) {
    stream.respond({ ":status": 200 });
    stream.end("answered");
  }
  for (const answer of await Promise.all(answers)) assert.equal(answer.body.toString(), "answered");
  await closed;
  const next = await connectHttp2(t, h.port());
  const again = ask(next);
  await eventually("the new listener takes requests", () => assert.equal(waiting.length, 3));
  waiting[2]?.respond({ ":status": 200 }, { endStream: true });
  assert.equal((await again).status, 200);
});

test("an idle connection ends with GOAWAY", async (t) => {
  const h = await startProxy(t, {
    clusters: [],
    listeners: [
      httpListener([{ match: { prefix: "/" }, direct_response: { status: 200 } }], {
        common_http_protocol_options: { idle_timeout: "0.1s" },
      }),
    ],
  });
  const session = await connectHttp2(t, h.port());
  let code = -1;
  session.on("goaway", (got) => {
    code = got;
  });
  await ask(session);
  await new Promise<void>((resolve) => session.on("close", () => resolve()));
  assert.equal(code, 0);
});

test("local replies: HTTP as it is, gRPC as a status in the head", async (t) => {
  const h = await startProxy(t, {
    clusters: [],
    listeners: [
      httpListener([{ match: { prefix: "/" }, direct_response: { status: 503, body: { inline_string: "no é" } } }]),
    ],
  });
  const session = await connectHttp2(t, h.port());
  const plain = await ask(session);
  assert.equal(plain.status, 503);
  assert.equal(plain.headers["content-length"], String(plain.body.length));
  const grpc = await ask(session, {
    head: { ":method": "POST", "content-type": "application/grpc" },
    body: Buffer.alloc(5),
  });
  assert.equal(grpc.status, 200);
  assert.equal(grpc.headers["grpc-status"], "14");
  assert.equal(grpc.headers["content-type"], "application/grpc");
  assert.equal(grpc.body.length, 0);
});

test("one stream's time-out leaves the others alone", async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream) => void waiting.push(stream));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [
      httpListener([{ match: { path: "/short" }, route: { cluster: "a", timeout: "0.1s" } }, route({ timeout: "0s" })]),
    ],
  });
  const session = await connectHttp2(t, h.port());
  const long = ask(session);
  const short = await ask(session, { head: { ":path": "/short" } });
  assert.equal(short.status, 504);
  assert.equal(short.body.toString(), "upstream request timeout");
  for (const stream of waiting)
    if (!stream.destroyed && !stream.closed) stream.respond({ ":status": 200 }, { endStream: true });
  assert.equal((await long).status, 200);
});

for (const upstreamProtocol of ["HTTP/1.1", "HTTP/2"] as const)
  test(`a client that does not read holds its own ${upstreamProtocol} upstream, and nobody else`, async (t) => {
    const size = 32 * 1024 * 1024;
    let sent = 0;
    const source = (write: (piece: Buffer) => boolean, onDrain: (next: () => void) => void, end: () => void) => {
      const piece = Buffer.alloc(64 * 1024, "z");
      const next = () => {
        while (sent < size) {
          sent += piece.length;
          if (!write(piece)) {
            onDrain(next);
            return;
          }
        }
        end();
      };
      next();
    };
    const isHttp2 = upstreamProtocol === "HTTP/2";
    const { port } = isHttp2
      ? await startHttp2Upstream(t, (stream, headers) => {
          // Else Node resets what it has not sent yet.
          stream.resume();
          stream.respond({ ":status": 200 });
          if (headers[":path"] !== "/big") stream.end("small");
          else
            source(
              (piece) => stream.write(piece),
              (then) => void stream.once("drain", then),
              () => stream.end(),
            );
        })
      : await startUpstream(t, (received, socket, connection) => {
          if (!received.includes("\r\n\r\n")) return;
          connection.bytes = "";
          if (!received.startsWith("GET /big")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmall");
          else {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
            source(
              (piece) => socket.write(piece),
              (then) => void socket.once("drain", then),
              () => undefined,
            );
          }
        });
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [port], isHttp2 ? http2Options() : {})],
      listeners: [httpListener([route({ timeout: "0s" })])],
    });
    const session = await connectHttp2(t, h.port());
    const big = session.request({ ":path": "/big", ":authority": "shop" });
    big.on("error", () => undefined);
    big.pause();
    let settled = 0;
    await eventually("the source has stopped", async () => {
      const before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
      settled = before === sent && sent > 0 ? settled + 1 : 0;
      assert.ok(settled > 1);
    });
    assert.ok(sent < size / 2, `${sent} of ${size} bytes were taken for a client that reads nothing`);
    assert.equal((await ask(session)).body.toString(), "small");
    let received = 0;
    await new Promise<void>((resolve, reject) => {
      big.on("data", (piece: Buffer) => {
        received += piece.length;
      });
      big.on("end", resolve);
      big.on("error", reject);
      big.resume();
    });
    assert.equal(received, size);
  });

test("an upstream that does not read holds its own client's stream, and nobody else", async (t) => {
  const stuck: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream, headers) => {
    if (headers[":path"] === "/stuck") stuck.push(stream);
    else {
      stream.resume();
      stream.respond({ ":status": 200 }, { endStream: true });
    }
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route({ timeout: "0s" })])],
  });
  const session = await connectHttp2(t, h.port());
  const post = session.request({ ":method": "POST", ":path": "/stuck", ":authority": "shop" });
  post.on("error", () => undefined);
  let written = 0;
  let done = false;
  const size = 16 * 1024 * 1024;
  const next = () => {
    while (written < size) {
      written += 65_536;
      if (!post.write(Buffer.alloc(65_536))) {
        post.once("drain", next);
        return;
      }
    }
    post.end();
    done = true;
  };
  next();
  await eventually("held", () => assert.ok(stuck.length === 1 && written > 65_536));
  assert.equal((await ask(session)).status, 200);
  assert.ok(!done, "16 MB were taken for an upstream that reads nothing");
  let received = 0;
  stuck[0]?.on("data", (piece: Buffer) => {
    received += piece.length;
  });
  await eventually("all of it", () => assert.equal(received, size));
});

test("an answer before the end of the request: the rest of it is refused, the connection goes on", async (t) => {
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { path: "/no" }, direct_response: { status: 403 } }, route()])],
  });
  const session = await connectHttp2(t, h.port());
  const post = session.request({ ":method": "POST", ":path": "/no", ":authority": "shop" });
  post.on("error", () => undefined);
  let status = 0;
  post.on("response", (headers) => {
    status = Number(headers[":status"]);
  });
  post.write("half");
  await new Promise((resolve) => post.once("close", resolve));
  assert.equal(status, 403);
  assert.equal(post.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  assert.equal((await ask(session)).body.toString(), "ok");
});

test("a client that resets its stream ends the upstream's", async (t) => {
  const codes: number[] = [];
  let count = 0;
  const upstream = await startHttp2Upstream(t, (stream) => {
    count += 1;
    stream.on("close", () => codes.push(stream.rstCode ?? -1));
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  const stream = session.request({ ":path": "/", ":authority": "shop" });
  stream.on("error", () => undefined);
  await eventually("under way", () => assert.equal(count, 1));
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await eventually("cancelled", () => assert.deepEqual(codes, [http2.constants.NGHTTP2_CANCEL]));
  await eventually("log", () => assert.deepEqual(h.logs, ["0 DC http2.remote_reset 1 /\n"]));
});
