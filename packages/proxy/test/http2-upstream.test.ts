/** The HTTP/2 side towards upstream hosts: how requests share connections, and what becomes of them when the server ends, refuses or breaks. */
import assert from "node:assert/strict";
import http2 from "node:http2";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { exchange, httpListener, startProxy, startUpstream, staticCluster } from "./harness.ts";
import { ask, connectHttp2, http2Options, startHttp2Upstream } from "./http2-client.ts";

const route = (extra: object = {}) => ({ match: { prefix: "/" }, route: { cluster: "a", ...extra } });
const stat = (h: Awaited<ReturnType<typeof startProxy>>, name: string) => {
  const text = h.proxy.deps.registry.expose((known) => known === `envoy_cluster_${name}`);
  return Number(/\} (\d+)\n/.exec(text)?.[1] ?? Number.NaN);
};

test("a second connection is opened when the server takes no more streams on the first", async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream) => void waiting.push(stream), {
    settings: { maxConcurrentStreams: 2 },
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  // So that the server's SETTINGS are known.
  const first = ask(session);
  await eventually("first", () => assert.equal(waiting.length, 1));
  const others = [ask(session), ask(session), ask(session)];
  await eventually("all four", () => assert.equal(waiting.length, 4));
  assert.equal(upstream.sessions(), 2);
  for (const stream of waiting) {
    stream.respond({ ":status": 200 });
    stream.end("ok");
  }
  for (const answer of await Promise.all([first, ...others])) assert.equal(answer.status, 200);
  assert.equal(stat(h, "upstream_cx_http2_total"), 2);
});

test("max_connections holds further requests until a stream is free, max_pending_requests refuses them", async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream) => void waiting.push(stream));
  const h = await startProxy(t, {
    clusters: [
      staticCluster("a", [upstream.port], {
        ...http2Options({ max_concurrent_streams: 1 }),
        circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] },
      }),
    ],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  const first = ask(session);
  await eventually("first", () => assert.equal(waiting.length, 1));
  const second = ask(session);
  await eventually("pending", () => assert.equal(stat(h, "upstream_rq_pending_active"), 1));
  const third = await ask(session);
  assert.equal(third.status, 503);
  assert.equal(third.headers["x-envoy-overloaded"], "true");
  waiting[0]?.respond({ ":status": 200 }, { endStream: true });
  assert.equal((await first).status, 200);
  await eventually("second", () => assert.equal(waiting.length, 2));
  waiting[1]?.respond({ ":status": 200 }, { endStream: true });
  assert.equal((await second).status, 200);
  assert.equal(upstream.sessions(), 1);
});

test("max_requests_per_connection moves on to another connection", async (t) => {
  const upstream = await startHttp2Upstream(t, (stream) => stream.respond({ ":status": 200 }, { endStream: true }));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options({}, { max_requests_per_connection: 2 }))],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  for (let i = 0; i < 5; i++) assert.equal((await ask(session)).status, 200);
  assert.equal(upstream.sessions(), 3);
  await eventually("closed", () => assert.equal(stat(h, "upstream_cx_active"), 1));
});

test("GOAWAY: streams under way finish, new ones go to another connection", async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const upstream = await startHttp2Upstream(t, (stream, headers) => {
    if (headers[":path"] === "/slow") waiting.push(stream);
    else stream.respond({ ":status": 200 }, { endStream: true });
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  const slow = ask(session, { head: { ":path": "/slow" } });
  await eventually("slow", () => assert.equal(waiting.length, 1));
  waiting[0]?.session?.goaway(0);
  await eventually("GOAWAY", () => assert.equal(stat(h, "upstream_cx_close_notify"), 1));
  assert.equal((await ask(session)).status, 200);
  assert.equal(upstream.sessions(), 2);
  waiting[0]?.respond({ ":status": 200 });
  waiting[0]?.end("late");
  assert.equal((await slow).body.toString(), "late");
  await eventually("the first is closed", () => assert.equal(stat(h, "upstream_cx_active"), 1));
});

for (const [code, name, isRetried] of [
  [http2.constants.NGHTTP2_REFUSED_STREAM, "refused", true],
  [http2.constants.NGHTTP2_INTERNAL_ERROR, "reset", false],
] as const)
  test(`a stream that is ${name} is ${isRetried ? "" : "not "}tried again by refused-stream`, async (t) => {
    let count = 0;
    const upstream = await startHttp2Upstream(t, (stream) => {
      count += 1;
      if (count === 1) stream.close(code);
      else stream.respond({ ":status": 200 }, { endStream: true });
    });
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port], http2Options())],
      listeners: [httpListener([route({ retry_policy: { retry_on: "refused-stream", num_retries: 1 } })])],
    });
    const session = await connectHttp2(t, h.port());
    const answer = await ask(session);
    assert.equal(answer.status, isRetried ? 200 : 503);
    if (!isRetried)
      assert.equal(
        answer.body.toString(),
        "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
      );
    await eventually("log", () =>
      assert.deepEqual(h.logs, [
        isRetried ? "200 - via_upstream 2 /\n" : "503 UR upstream_reset_before_response_started{remote_reset} 1 /\n",
      ]),
    );
  });

test("a grpc-status in a head alone is tried again", async (t) => {
  let count = 0;
  const upstream = await startHttp2Upstream(t, (stream) => {
    count += 1;
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": count === 1 ? "14" : "0" },
      { endStream: true },
    );
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route({ retry_policy: { retry_on: "unavailable", num_retries: 1 } })])],
  });
  const session = await connectHttp2(t, h.port());
  const answer = await ask(session, { head: { ":method": "POST", "content-type": "application/grpc" } });
  assert.equal(answer.headers["grpc-status"], "0");
  assert.equal(count, 2);
});

test("a response that breaks off resets the client's stream, and only that", async (t) => {
  const upstream = await startHttp2Upstream(t, (stream, headers) => {
    stream.respond({ ":status": 200 });
    stream.write("begun");
    if (headers[":path"] === "/cut") setImmediate(() => stream.destroy(new Error("cut")));
    else stream.end();
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  await assert.rejects(ask(session, { head: { ":path": "/cut" } }));
  assert.equal((await ask(session)).body.toString(), "begun");
  assert.equal(upstream.sessions(), 1);
});

test("an upstream that speaks HTTP/1.1 to an HTTP/2 cluster is a protocol error", async (t) => {
  const upstream = await startUpstream(t, (_received, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([route()])],
  });
  const text = await exchange(h.port(), "GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
  assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  await eventually("log", () => assert.match(h.logs[0] ?? "", /^502 UPE /));
});

test("connection_keepalive gives up a server that does not answer PING", async (t) => {
  const upstream = await startUpstream(t, () => undefined);
  const h = await startProxy(t, {
    clusters: [
      staticCluster(
        "a",
        [upstream.port],
        http2Options({ connection_keepalive: { interval: "0.05s", timeout: "0.05s" } }),
      ),
    ],
    listeners: [httpListener([route()])],
  });
  const session = await connectHttp2(t, h.port());
  const answer = await ask(session);
  assert.equal(answer.status, 503);
  assert.equal(stat(h, "http2_keepalive_timeout"), 1);
});

for (const [name, headers, ejected] of [
  ["grpc-status UNAVAILABLE with the head counts as 503", { "grpc-status": "14" }, true],
  ["grpc-status NOT_FOUND is no failure of the host", { "grpc-status": "5" }, false],
  ["without one the HTTP code counts", {}, false],
] as const) {
  test(`outlier detection: ${name}`, async (t) => {
    const upstream = await startHttp2Upstream(t, (stream) =>
      stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { endStream: true }),
    );
    const h = await startProxy(t, {
      clusters: [
        staticCluster("a", [upstream.port], {
          ...http2Options(),
          outlier_detection: { consecutive_5xx: 2, max_ejection_percent: 100 },
        }),
      ],
      listeners: [httpListener([route()])],
    });
    const session = await connectHttp2(t, h.port());
    for (let i = 0; i < 2; i += 1) await ask(session);
    assert.equal(stat(h, "outlier_detection_ejections_active"), ejected ? 1 : 0);
  });
}
