import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import test, { type TestContext } from "node:test";
import { createHeaderBlock } from "../src/headers/text-header-block.ts";
import type { Http2ServerConnection } from "../src/http2/connection.ts";
import { connectHttp2 } from "./http2-echo-client.ts";
import { serveHttp2 } from "./http2-echo-server.ts";

async function listen(t: TestContext, server: Server | http2.Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

interface NodeAnswer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders | undefined;
  readonly early: number;
}

/** A request with node:http2's client. */
function ask(
  session: http2.ClientHttp2Session,
  head: http2.OutgoingHttpHeaders,
  body?: Buffer,
  trailers?: http2.OutgoingHttpHeaders,
): Promise<NodeAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(head, { waitForTrailers: trailers !== undefined, endStream: body === undefined });
    const pieces: Buffer[] = [];
    let headers: http2.IncomingHttpHeaders = {};
    let received: http2.IncomingHttpHeaders | undefined;
    let early = 0;
    stream.on("headers", () => {
      early += 1;
    });
    stream.on("response", (got) => {
      headers = got;
    });
    stream.on("trailers", (got) => {
      received = got;
    });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", reject);
    stream.on("end", () => resolve({ headers, body: Buffer.concat(pieces), trailers: received, early }));
    if (body !== undefined) stream.end(body);
  });
}

async function nodeClient(
  t: TestContext,
  port: number,
  options?: http2.ClientSessionOptions,
): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port}`, options);
  await once(session, "connect");
  t.after(() => session.destroy());
  return session;
}

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("node:http2 as client: small requests, HEAD, 103, cookies, large headers", async (t) => {
  const session = await nodeClient(t, await listen(t, serveHttp2()));
  const plain = await ask(session, { ":path": "/a?b" });
  assert.deepEqual([plain.headers[":status"], plain.headers["x-method"], plain.body.toString()], [200, "GET", "ok"]);
  assert.equal((await ask(session, { ":method": "HEAD", ":path": "/" })).headers["x-method"], "HEAD");
  assert.equal((await ask(session, { ":path": "/", "x-early": "1" })).early, 1);
  // Larger than one frame both ways: CONTINUATION.
  for (const value of ["x".repeat(40_000), "\u00e9\u0080~{|}".repeat(300), ""]) {
    const answer = await ask(session, { ":path": "/", "x-echo": Buffer.from(value, "latin1").toString("latin1") });
    assert.equal(answer.headers["x-echo"], value);
  }
});

test("node:http2 as client: 20 MB up and down at once, with trailers", async (t) => {
  // Node's client counts what it has not sent yet against its session memory of 10 MB.
  const session = await nodeClient(t, await listen(t, serveHttp2()), { maxSessionMemory: 100 });
  const body = randomBytes(20_000_000);
  const answer = await ask(session, { ":method": "POST", ":path": "/echo" }, body, { "x-sum": "1" });
  assert.equal(digest(answer.body), digest(body));
  assert.equal(answer.trailers?.["x-sum"], "1");
});

test("node:http2 as client: 100 streams at a time, small windows", async (t) => {
  const session = await nodeClient(t, await listen(t, serveHttp2()), { settings: { initialWindowSize: 3000 } });
  const bodies = Array.from({ length: 100 }, (_, i) => randomBytes(i * 500));
  const answers = await Promise.all(bodies.map((body) => ask(session, { ":method": "POST", ":path": "/echo" }, body)));
  assert.deepEqual(
    answers.map((answer) => digest(answer.body)),
    bodies.map(digest),
  );
});

test("node:http2 as client: a reset mid-body leaves the connection usable, windows included", async (t) => {
  const session = await nodeClient(t, await listen(t, serveHttp2()));
  for (let i = 0; i < 20; i += 1) {
    const stream = session.request({ ":method": "POST", ":path": "/nowhere" }, { endStream: false });
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(200_000));
    await once(stream, "response");
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await once(stream, "close");
  }
  assert.equal((await ask(session, { ":path": "/big/3000000" })).body.length, 3_000_000);
});

test("node:http2 as client: draining lets streams end and refuses none that was under way", async (t) => {
  const connections: { connection: Http2ServerConnection; flush: () => void }[] = [];
  const server = serveHttp2({}, (connection, flush) => void connections.push({ connection, flush }));
  const session = await nodeClient(t, await listen(t, server));
  const goaways: number[] = [];
  session.on("goaway", (_code, last) => void goaways.push(last));
  const slow = session.request({ ":method": "POST", ":path": "/echo" }, { endStream: false });
  await once(slow, "response");
  const first = connections[0];
  assert.ok(first !== undefined);
  first.connection.drain();
  first.flush();
  await once(session, "goaway");
  slow.setEncoding("latin1");
  slow.end("still served");
  let text = "";
  for await (const piece of slow) text += String(piece);
  assert.equal(text, "still served");
  assert.deepEqual([goaways[0], first.connection.isDrained], [2 ** 31 - 1, true]);
});

function nodeServer(): http2.Http2Server {
  const server = http2.createServer({ settings: { initialWindowSize: 20_000, maxConcurrentStreams: 30 } });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    const path = String(headers[":path"]);
    if (path === "/refuse") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (path === "/goaway") stream.session?.goaway(0, stream.id);
    if (path === "/early") stream.additionalHeaders({ ":status": 103, link: "</a>" });
    stream.respond(
      { ":status": 200, "x-got": headers["x-sent"] ?? "", authorization: "secret" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-path": path }));
    if (path === "/echo") stream.pipe(stream);
    else stream.end(`you asked for ${path}`);
  });
  return server;
}

test("node:http2 as server: requests, trailers both ways, 103, refusal", async (t) => {
  const client = connectHttp2(await listen(t, nodeServer()));
  t.after(() => client.close());
  for (let i = 0; i < 5; i += 1) {
    const answer = await client.request({ target: `/${i}`, headers: createHeaderBlock([["x-sent", "v".repeat(i)]]) });
    assert.equal(answer.body.toString(), `you asked for /${i}`);
    assert.equal(answer.headers.get("x-got"), "v".repeat(i));
    assert.equal(answer.trailers?.get("x-path"), `/${i}`);
  }
  assert.deepEqual((await client.request({ target: "/early" })).informational, [103]);
  assert.equal((await client.request({ target: "/refuse" })).reset?.isRefused, true);
  const echoed = await client.request({ target: "/echo" }, Buffer.from("abc"), createHeaderBlock([["x-end", "1"]]));
  assert.equal(echoed.body.toString(), "abc");
});

test("node:http2 as server: 10 MB both ways and 100 requests over 30 allowed streams", async (t) => {
  const client = connectHttp2(await listen(t, nodeServer()));
  t.after(() => client.close());
  const body = randomBytes(10_000_000);
  assert.equal(digest((await client.request({ target: "/echo" }, body)).body), digest(body));
  const bodies = Array.from({ length: 100 }, (_, i) => randomBytes(i * 700));
  const answers = await Promise.all(bodies.map((piece) => client.request({ target: "/echo" }, piece)));
  assert.deepEqual(
    answers.map((answer) => digest(answer.body)),
    bodies.map(digest),
  );
});

test("node:http2 as server: GOAWAY lets the stream end and no other begin", async (t) => {
  const client = connectHttp2(await listen(t, nodeServer()));
  t.after(() => client.close());
  assert.equal((await client.request({ target: "/goaway" })).body.toString(), "you asked for /goaway");
  assert.deepEqual(client.goaways, [1]);
  assert.deepEqual([client.connection.canOpenStream, client.connection.isDrained], [false, true]);
});

test("the codec with itself: 30 MB both ways and 300 requests", async (t) => {
  const client = connectHttp2(await listen(t, serveHttp2()));
  t.after(() => client.close());
  const body = randomBytes(30_000_000);
  assert.equal(digest((await client.request({ target: "/echo" }, body)).body), digest(body));
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => client.request({ target: `/big/${i * 1000}` })),
  );
  assert.deepEqual(
    answers.map((answer) => answer.body.length),
    answers.map((_, i) => (i === 0 ? 2 : i * 1000)),
  );
});
