import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, request as httpRequest } from "node:http";
import type http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { exchange, httpListener, startProxy, staticCluster, type TestScope } from "./harness.ts";
import { ask, connectHttp2, http2Options, startHttp2Upstream } from "./http2-client.ts";

const route = (cluster: string, extra: object = {}, match: object = { prefix: "/" }) => ({
  match,
  route: { cluster, ...extra },
});
const LOG = "%PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT%\n";
const withLog = {
  access_log: [
    {
      name: "file",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path: "/dev/stdout",
        log_format: { text_format_source: { inline_string: LOG } },
      },
    },
  ],
};

/** What an upstream of either protocol does: gives method, path, body and trailers back. */
function echoHttp2(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  const pieces: Buffer[] = [];
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("trailers", (got) => {
    trailers = got;
  });
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.on("end", () => {
    stream.respond(
      {
        ":status": 200,
        "x-seen": `${headers[":method"]} ${headers[":path"]} ${headers[":authority"]} ${headers[":scheme"]} ${headers.te ?? "-"}`,
        "x-cookie": headers.cookie ?? "",
        "x-connection": String(headers.connection ?? "-"),
      },
      { waitForTrailers: true, endStream: headers[":method"] === "HEAD" },
    );
    stream.on("wantTrailers", () =>
      stream.sendTrailers({ "x-trailer": String(trailers["x-trailer"] ?? "none"), "x-sum": String(pieces.length > 0) }),
    );
    if (headers[":method"] !== "HEAD") stream.end(Buffer.concat(pieces));
  });
}

async function echoHttp1(scope: TestScope): Promise<number> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      response.setHeader(
        "x-seen",
        `${request.method} ${request.url} ${request.headers.host} - ${request.headers.te ?? "-"}`,
      );
      response.setHeader("x-cookie", request.headers.cookie ?? "");
      if (request.method === "HEAD") {
        response.end();
        return;
      }
      response.setHeader("trailer", "x-trailer");
      response.writeHead(200);
      response.write(Buffer.concat(pieces));
      response.addTrailers({ "x-trailer": request.trailers["x-trailer"] ?? "none" });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

for (const upstream of ["HTTP/2", "HTTP/1.1"] as const) {
  const start = async (t: TestScope) => {
    const isHttp2 = upstream === "HTTP/2";
    const port = isHttp2 ? (await startHttp2Upstream(t, echoHttp2)).port : await echoHttp1(t);
    return await startProxy(t, {
      clusters: [staticCluster("a", [port], isHttp2 ? http2Options() : {})],
      listeners: [httpListener([route("a")], withLog)],
    });
  };

  test(`an HTTP/2 client and an ${upstream} upstream: heads, bodies, cookies and trailers`, async (t) => {
    const h = await start(t);
    const session = await connectHttp2(t, h.port());
    const plain = await ask(session, { head: { ":path": "/one?x=1", cookie: ["a=1", "b=2"], te: "trailers" } });
    assert.equal(plain.status, 200);
    assert.match(String(plain.headers["x-seen"]), /^GET \/one\?x=1 shop (http|-) trailers$/);
    assert.equal(plain.headers["x-cookie"], "a=1; b=2");
    assert.equal(plain.headers.server, "envoy");
    assert.match(String(plain.headers["x-envoy-upstream-service-time"]), /^\d+$/);
    assert.equal(plain.headers["transfer-encoding"], undefined);
    const body = randomBytes(300_000);
    const posted = await ask(session, { head: { ":method": "POST" }, body, trailers: { "x-trailer": "there" } });
    assert.ok(posted.body.equals(body), `${posted.body.length} bytes came back`);
    assert.equal(posted.trailers?.["x-trailer"], "there");
    const headed = await ask(session, { head: { ":method": "HEAD" } });
    assert.equal(headed.status, 200);
    assert.equal(headed.body.length, 0);
    await eventually("three log lines", () =>
      assert.deepEqual(h.logs, [
        "HTTP/2 GET /one?x=1 200 - 0 0\n",
        "HTTP/2 POST / 200 - 300000 300000\n",
        "HTTP/2 HEAD / 200 - 0 0\n",
      ]),
    );
  });

  test(`many streams at once to an ${upstream} upstream get their own answers`, async (t) => {
    const h = await start(t);
    const session = await connectHttp2(t, h.port());
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        ask(session, { head: { ":method": "POST", ":path": `/${i}` }, body: Buffer.from(`body ${i}`) }),
      ),
    );
    for (const [i, answer] of answers.entries()) assert.equal(answer.body.toString(), `body ${i}`);
  });
}

test("an HTTP/1.1 client and an HTTP/2 upstream", async (t) => {
  const { port, sessions } = await startHttp2Upstream(t, echoHttp2);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [port], http2Options())],
    listeners: [httpListener([route("a")], withLog)],
  });
  const get = "GET /one HTTP/1.1\r\nHost: shop\r\nConnection: keep-alive, x-drop\r\nX-Drop: 1\r\n\r\n";
  const text = await exchange(h.port(), get + get, (r) => r.split("x-trailer: none").length === 3);
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /x-seen: GET \/one shop http -\r\n/);
  assert.match(text, /x-connection: -\r\n/);
  assert.equal(sessions(), 1);
  const body = randomBytes(200_000);
  const back = await new Promise<Buffer>((resolve, reject) => {
    const request = httpRequest({ port: h.port(), method: "POST", headers: { host: "shop" } }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => resolve(Buffer.concat(pieces)));
    });
    request.on("error", reject);
    request.end(body);
  });
  assert.ok(back.equals(body));
});
