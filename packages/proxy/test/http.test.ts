import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { eventually, settle } from "@argyle/testkit";
import { switchDirectStreams } from "../src/io/direct-stream.ts";
import { bodyOf, exchange, httpListener, replying, startProxy, startUpstream, staticCluster } from "./harness.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const route = (cluster: string, extra: object = {}, match: object = { prefix: "/" }) => ({
  match,
  route: { cluster, ...extra },
});
const get = (path = "/", headers = "") => `GET ${path} HTTP/1.1\r\nHost: shop\r\n${headers}\r\n`;
const ends = (text: string) => (received: string) => received.endsWith(text);

for (const mode of ["direct", "data"] as const) {
  test(`proxies a request and keeps both connections alive (${mode})`, async (t) => {
    switchDirectStreams(mode === "direct");
    t.after(() => switchDirectStreams(true));
    const upstream = await startUpstream(t, replying(OK));
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port])],
      listeners: [httpListener([route("a")])],
    });
    const text = await exchange(h.port(), get("/one") + get("/two"), (r) => r.split("hello").length === 3);
    assert.equal(text.split("HTTP/1.1 200 OK").length, 3, text);
    assert.match(text, /server: envoy\r\n/);
    assert.match(text, /x-envoy-upstream-service-time: \d+\r\n/);
    assert.equal(upstream.connections(), 1);
    assert.match(
      upstream.received[0] ?? "",
      /^GET \/one HTTP\/1\.1\r\nhost: shop\r\nx-forwarded-proto: http\r\nx-request-id: uuid-1\r\nx-envoy-expected-rq-timeout-ms: 15000\r\n\r\nGET \/two/i,
    );
    await eventually("two log lines", () =>
      assert.deepEqual(h.logs, ["200 - via_upstream 1 /one\n", "200 - via_upstream 1 /two\n"]),
    );
  });
}

test("streams bodies of both directions, chunked and with length, byte by byte", async (t) => {
  const upstream = await startUpstream(t, (received, socket) => {
    if (received.endsWith("0\r\n\r\n"))
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route("a")])],
  });
  const request = "POST /x HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n0\r\n\r\n";
  const text = await exchange(h.port(), [...request], ends("0\r\n\r\n"));
  assert.match(text, /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
  assert.match(upstream.received[0] ?? "", /wxyz/);
});

test("passes a 20 MB body both ways unharmed", async (t) => {
  const size = 20 * 1024 * 1024;
  const upstream = await startUpstream(t, (received, socket, connection) => {
    // Searching joins all pieces into one text: not before there is enough of it.
    const head = received.length < size ? -1 : received.indexOf("\r\n\r\n");
    if (head === -1 || received.length < head + 4 + size) return;
    connection.bytes = "";
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${received.slice(head + 4)}`, "latin1");
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route("a")])],
  });
  const body = Array.from({ length: size / 64 }, (_, i) => String(i).padStart(64, "-")).join("");
  const text = await exchange(
    h.port(),
    `POST / HTTP/1.1\r\nHost: s\r\nContent-Length: ${size}\r\n\r\n${body}`,
    (r) => r.length > size + 50,
  );
  assert.ok(bodyOf(text) === body, "the body came back changed");
});

const locals: readonly {
  name: string;
  routes: (port: number) => readonly object[];
  cluster?: object;
  request?: string;
  status: string;
  body: string;
  log: string;
}[] = [
  {
    name: "no route",
    routes: () => [route("a", {}, { path: "/only" })],
    status: "404 Not Found",
    body: "",
    log: "404 NR route_not_found 0 /\n",
  },
  {
    name: "unknown cluster",
    routes: () => [route("none")],
    status: "503 Service Unavailable",
    body: "",
    log: "503 NC cluster_not_found 0 /\n",
  },
  {
    name: "no host",
    routes: () => [route("empty")],
    status: "503 Service Unavailable",
    body: "no healthy upstream",
    log: "503 UH no_healthy_upstream 0 /\n",
  },
  {
    name: "connection refused",
    routes: () => [route("closed")],
    status: "503 Service Unavailable",
    body: "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused",
    log: "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 1 /\n",
  },
  {
    name: "direct response",
    routes: () => [{ match: { prefix: "/" }, direct_response: { status: 418, body: { inline_string: "tea" } } }],
    status: "418 Unknown",
    body: "tea",
    log: "418 - direct_response 0 /\n",
  },
  {
    name: "missing host",
    routes: () => [route("a")],
    request: "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    status: "400 Bad Request",
    body: "",
    log: "",
  },
  {
    name: "HTTP/1.0",
    routes: () => [route("a")],
    request: "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    status: "426 Upgrade Required",
    body: "Upgrade Required",
    log: "426 DPE low_version 0 /\n",
  },
  {
    name: "upgrade that is not allowed",
    routes: () => [route("a")],
    request: get("/", "Connection: upgrade, close\r\nUpgrade: websocket\r\n"),
    status: "403 Forbidden",
    body: "",
    log: "403 - upgrade_failed 0 /\n",
  },
];
for (const c of locals) {
  test(`local reply: ${c.name}`, async (t) => {
    const upstream = await startUpstream(t, replying(OK));
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port]), staticCluster("empty", []), staticCluster("closed", [1])],
      listeners: [httpListener(c.routes(upstream.port))],
    });
    const text = await exchange(h.port(), c.request ?? get("/", "Connection: close\r\n"));
    assert.ok(text.startsWith(`HTTP/1.1 ${c.status}\r\n`), text);
    assert.equal(bodyOf(text), c.body);
    if (c.log !== "") await eventually("log line", () => assert.deepEqual(h.logs, [c.log]));
  });
}

test("a bad request is answered 400 and the connection closed", async (t) => {
  const h = await startProxy(t, { clusters: [], listeners: [httpListener([route("a")])] });
  const text = await exchange(h.port(), "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(text, /connection: close\r\n/);
});

test("a connection is good for the next request after a local reply, whether the requests come together or one by one", async (t) => {
  const h = await startProxy(t, {
    clusters: [staticCluster("empty", [])],
    listeners: [httpListener([route("empty")])],
  });
  const socket = connect({ host: "127.0.0.1", port: h.port() });
  t.after(() => socket.destroy());
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => {
    received += chunk;
  });
  const answers = () => received.split("no healthy upstream").length - 1;
  socket.write(get("/") + get("/"));
  await eventually("two answers", () => assert.equal(answers(), 2));
  socket.write(get("/"));
  await eventually("a third answer", () => assert.equal(answers(), 3));
});

test("upstream that closes early: 503 UC, and 503 for the retried one with URX", async (t) => {
  const upstream = await startUpstream(t, (_received, socket) => void socket.end());
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [
      httpListener([
        route(
          "a",
          { retry_policy: { retry_on: "reset", num_retries: 2, retry_back_off: { base_interval: "0.001s" } } },
          { prefix: "/retry" },
        ),
        route("a"),
      ]),
    ],
  });
  const plain = await exchange(h.port(), get("/", "Connection: close\r\n"));
  assert.equal(
    bodyOf(plain),
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
  );
  const retried = await exchange(h.port(), get("/retry", "Connection: close\r\n"));
  assert.equal(
    bodyOf(retried),
    "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination",
  );
  assert.equal(upstream.connections(), 4);
  await eventually("logs", () =>
    assert.match(
      h.logs[1] ?? "",
      /^503 URX,UC upstream_reset_before_response_started\{connection_termination\} 3 \/retry/,
    ),
  );
});

test("retries a 503 with the request body on another host", async (t) => {
  const bad = await startUpstream(t, (r, socket) => {
    if (r.endsWith("body")) socket.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  });
  const good = await startUpstream(t, (r, socket) => {
    if (r.endsWith("body")) socket.write(OK);
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [bad.port, good.port])],
    listeners: [
      httpListener([
        route("a", {
          retry_policy: {
            retry_on: "5xx",
            num_retries: 3,
            retry_host_predicate: [{ name: "envoy.retry_host_predicates.previous_hosts" }],
          },
        }),
      ]),
    ],
  });
  for (let i = 0; i < 4; i++) {
    const text = await exchange(
      h.port(),
      "POST / HTTP/1.1\r\nHost: s\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
    );
    assert.match(text, /^HTTP\/1\.1 200 OK/, text);
  }
  assert.ok(bad.connections() > 0, "the failing host was never tried");
});

test("route time-out: 504 UT; the upstream connection is not used again", async (t) => {
  const upstream = await startUpstream(t, () => undefined);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route("a", { timeout: "0.05s" })])],
  });
  const text = await exchange(h.port(), get("/", "Connection: close\r\n"));
  assert.match(text, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
  assert.equal(bodyOf(text), "upstream request timeout");
  await eventually("log", () => assert.deepEqual(h.logs, ["504 UT response_timeout 1 /\n"]));
});

test("circuit breaker: more than max_pending_requests get 503 UO with x-envoy-overloaded", async (t) => {
  const upstream = await startUpstream(t, (r, socket, connection) => {
    if (!r.endsWith("\r\n\r\n")) return;
    connection.bytes = "";
    setTimeout(() => socket.write(OK), 50);
  });
  const breaker = { circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] } };
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], breaker)],
    listeners: [httpListener([route("a")])],
  });
  const first = exchange(h.port(), get("/warm", "Connection: close\r\n"));
  await eventually("first arrived", () => assert.equal(upstream.connections(), 1));
  const all = await Promise.all([
    first,
    ...[1, 2, 3].map((i) => exchange(h.port(), get(`/${i}`, "Connection: close\r\n"))),
  ]);
  const codes = all.map((text) => text.slice(9, 12)).sort();
  assert.deepEqual(codes, ["200", "200", "503", "503"]);
  const overflow = all.find((text) => text.includes(" 503 ")) ?? "";
  assert.match(overflow, /x-envoy-overloaded: true\r\n/);
  assert.match(bodyOf(overflow), /reset reason: overflow$/);
});

test("WebSocket: 101 and then bytes both ways", async (t) => {
  const upstream = await startUpstream(t, (r, socket) => {
    if (r.endsWith("\r\n\r\n"))
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nready");
    else if (r.endsWith("ping")) socket.write("pong");
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route("a")], { upgrade_configs: [{ upgrade_type: "websocket" }] })],
  });
  const { connect } = await import("node:net");
  const socket = connect({ host: "127.0.0.1", port: h.port() });
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.write(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  await eventually("ready", () => assert.match(received, /^HTTP\/1\.1 101 [\s\S]*upgrade: websocket[\s\S]*ready$/));
  socket.write("ping");
  await eventually("pong", () => assert.match(received, /readypong$/));
  socket.destroy();
  await eventually("its end is logged", () => assert.ok(h.logs.length > 0));
  await settle();
  assert.equal(h.logs.length, 1, h.logs.join(""));
});

test("mirrors a request with a -shadow host and ignores its answer", async (t) => {
  const main = await startUpstream(t, replying(OK));
  const shadow = await startUpstream(t, replying("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [main.port]), staticCluster("b", [shadow.port])],
    listeners: [httpListener([route("a", { request_mirror_policies: [{ cluster: "b" }] })])],
  });
  const text = await exchange(h.port(), get("/m", "Connection: close\r\n"));
  assert.match(text, /^HTTP\/1\.1 200/);
  await eventually("shadow", () =>
    assert.match(shadow.received[0] ?? "", /^GET \/m HTTP\/1\.1\r\n[\s\S]*host: shop-shadow\r\n/i),
  );
});

test("fault filter: delay and abort, flags DI,FI", async (t) => {
  const fault = {
    name: "envoy.filters.http.fault",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
      delay: { fixed_delay: "0.03s", percentage: { numerator: 100 } },
      abort: { http_status: 555, percentage: { numerator: 100 } },
    },
  };
  const h = await startProxy(t, { clusters: [], listeners: [httpListener([route("a")], {}, [fault])] });
  const started = performance.now();
  const text = await exchange(h.port(), get("/", "Connection: close\r\n"));
  assert.ok(performance.now() - started >= 25);
  assert.match(text, /^HTTP\/1\.1 555 /);
  assert.equal(bodyOf(text), "fault filter abort");
  await eventually("log", () => assert.deepEqual(h.logs, ["555 DI,FI fault_filter_abort 0 /\n"]));
});

test("a client that goes away is logged with DC and frees the upstream", async (t) => {
  const upstream = await startUpstream(t, () => undefined);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([route("a")])],
  });
  const { connect } = await import("node:net");
  const socket = connect({ host: "127.0.0.1", port: h.port() });
  socket.write(get("/gone"));
  await eventually("arrived", () => assert.equal(upstream.received.length, 1));
  socket.destroy();
  await eventually("log", () => assert.deepEqual(h.logs, ["0 DC downstream_remote_disconnect 1 /gone\n"]));
});

test("configuration changes under load drop no request", async (t) => {
  const one = await startUpstream(t, replying(OK));
  const two = await startUpstream(t, replying(OK));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [one.port])],
    listeners: [httpListener([route("a")])],
  });
  const { TYPE_URL } = await import("../src/resource-sink.ts");
  const port = h.port();
  let isRunning = true;
  const client = async () => {
    let count = 0;
    while (isRunning) {
      const text = await exchange(port, get("/", "Connection: close\r\n"));
      assert.match(text, /^HTTP\/1\.1 200 OK[\s\S]*hello$/);
      count += 1;
    }
    return count;
  };
  const clients = Promise.all([client(), client(), client()]);
  clients.catch(() => {
    isRunning = false;
  });
  for (let i = 0; i < 20; i++) {
    h.apply(
      TYPE_URL.cluster,
      staticCluster("a", i % 2 === 0 ? [two.port] : [one.port], { connect_timeout: `${i + 1}s` }),
    );
    h.apply(TYPE_URL.listener, httpListener([route("a")], { server_name: `v${i}` }));
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  isRunning = false;
  const counts = await clients;
  assert.ok(counts.every((count) => count > 0));
  assert.ok(one.connections() > 0 && two.connections() > 0);
});
