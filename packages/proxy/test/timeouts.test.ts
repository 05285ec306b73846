/** Every way in which time ends a request, with Envoy's status, flag and words; and the CORS and fault filters on a route. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { bodyOf, exchange, httpListener, replying, startProxy, startUpstream, staticCluster } from "./harness.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const silent = () => undefined;
const halfAnswer = (_received: string, socket: Socket) =>
  void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const HALF_POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";

const cases: readonly {
  readonly name: string;
  readonly upstream?: (received: string, socket: Socket, connection: { bytes: string }) => void;
  readonly route?: object;
  readonly hcm?: object;
  readonly request?: string;
  readonly status: number;
  readonly body: string;
  readonly log: string;
  readonly stat?: string;
}[] = [
  {
    name: "route timeout",
    route: { timeout: "0.1s" },
    status: 504,
    body: "upstream request timeout",
    log: "504 UT response_timeout 1 /\n",
    stat: 'envoy_cluster_upstream_rq_timeout{cluster_name="a"} 1',
  },
  {
    name: "per-try timeout without a retry left",
    route: { timeout: "5s", retry_policy: { retry_on: "5xx", num_retries: 0, per_try_timeout: "0.1s" } },
    status: 504,
    body: "upstream request timeout",
    log: "504 URX,UT upstream_per_try_timeout 1 /\n",
    stat: 'envoy_cluster_upstream_rq_per_try_timeout{cluster_name="a"} 1',
  },
  {
    name: "per-try timeout of every try",
    route: { timeout: "5s", retry_policy: { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.1s" } },
    status: 504,
    body: "upstream request timeout",
    log: "504 URX,UT upstream_per_try_timeout 2 /\n",
    stat: 'envoy_cluster_upstream_rq_per_try_timeout{cluster_name="a"} 2',
  },
  {
    name: "max stream duration after the request",
    hcm: { common_http_protocol_options: { max_stream_duration: "0.1s" } },
    status: 504,
    body: "upstream max stream duration reached",
    log: "504 UMSDR upstream_max_stream_duration_reached 1 /\n",
  },
  {
    name: "max stream duration while the request is sent",
    hcm: { common_http_protocol_options: { max_stream_duration: "0.1s" } },
    request: HALF_POST,
    status: 408,
    body: "upstream max stream duration reached",
    log: "408 UMSDR upstream_max_stream_duration_reached 1 /\n",
  },
  {
    name: "stream idle timeout after the request",
    hcm: { stream_idle_timeout: "0.1s" },
    status: 504,
    body: "stream timeout",
    log: "504 SI stream_idle_timeout 1 /\n",
  },
  {
    name: "stream idle timeout while the request is sent",
    hcm: { stream_idle_timeout: "0.1s" },
    request: HALF_POST,
    status: 408,
    body: "stream timeout",
    log: "408 SI stream_idle_timeout 1 /\n",
  },
  {
    name: "idle timeout of the route",
    route: { idle_timeout: "0.1s" },
    status: 504,
    body: "stream timeout",
    log: "504 SI stream_idle_timeout 1 /\n",
  },
  {
    name: "request timeout",
    hcm: { request_timeout: "0.1s" },
    request: HALF_POST,
    status: 408,
    body: "request timeout",
    log: "408 - request_overall_timeout 1 /\n",
  },
];
for (const c of cases) {
  test(`${c.name}: ${c.status}`, async (t) => {
    const upstream = await startUpstream(t, c.upstream ?? silent);
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port])],
      listeners: [
        httpListener([{ match: { prefix: "/" }, route: { cluster: "a", timeout: "0s", ...c.route } }], c.hcm),
      ],
    });
    const text = await exchange(h.port(), c.request ?? GET, (r) => r.endsWith(c.body));
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${c.status} `));
    assert.equal(bodyOf(text), c.body);
    await eventually("log", () => assert.deepEqual(h.logs, [c.log]));
    if (c.stat !== undefined) assert.ok(h.proxy.deps.registry.expose().includes(`${c.stat}\n`), c.stat);
  });
}

test("a retry after a per-try timeout succeeds at another moment", async (t) => {
  let tries = 0;
  const upstream = await startUpstream(t, (received, socket, connection) => {
    tries += 1;
    if (tries > 1) replying(OK)(received, socket, connection);
  });
  const policy = { retry_on: "5xx", num_retries: 2, per_try_timeout: "0.1s" };
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a", retry_policy: policy } }])],
  });
  assert.match(await exchange(h.port(), GET, (r) => r.endsWith("hello")), /^HTTP\/1\.1 200/);
  await eventually("log", () => assert.deepEqual(h.logs, ["200 - via_upstream 2 /\n"]));
});

test("a response that stops in the middle is cut by the idle timeout", async (t) => {
  const upstream = await startUpstream(t, halfAnswer);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], { stream_idle_timeout: "0.2s" })],
  });
  const text = await exchange(h.port(), GET);
  assert.ok(text.replace(/<.*>$/, "").endsWith("\r\n\r\nhe"), text);
  await eventually("log", () => assert.deepEqual(h.logs, ["200 SI stream_idle_timeout 1 /\n"]));
});

test("a response that goes on for longer than the idle timeout is not cut", async (t) => {
  const letters = [..."abcdefgh"];
  const upstream = await startUpstream(t, (_received, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${letters.length}\r\n\r\n`);
    const write = () => {
      const next = letters.shift();
      if (next === undefined) return;
      socket.write(next);
      setTimeout(write, 100);
    };
    write();
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], { stream_idle_timeout: "0.4s" })],
  });
  assert.match(await exchange(h.port(), GET, (r) => r.endsWith("h")), /\r\n\r\nabcdefgh$/);
});

test("an idle client connection is closed", async (t) => {
  const upstream = await startUpstream(t, replying(OK));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [
      httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], {
        common_http_protocol_options: { idle_timeout: "0.2s" },
      }),
    ],
  });
  const text = await exchange(h.port(), GET);
  assert.match(text, /hello$/);
});

test("a client connection at its longest duration: the request in progress is answered, with connection: close", async (t) => {
  const upstream = await startUpstream(t, (_received, socket) => {
    setTimeout(() => socket.write(OK), 300);
  });
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [
      httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], {
        common_http_protocol_options: { max_connection_duration: "0.1s" },
      }),
    ],
  });
  const text = await exchange(h.port(), GET);
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*connection: close\r\n[\s\S]*hello$/);
  // Without a request it just ends.
  assert.equal(await exchange(h.port(), ""), "");
});

const CORS_FILTER = {
  name: "envoy.filters.http.cors",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors" },
};
const corsPolicy = (value: object) => ({
  typed_per_filter_config: {
    "envoy.filters.http.cors": {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
      allow_origin_string_match: [{ exact: "https://shop.example" }, { suffix: ".trusted.example" }],
      ...value,
    },
  },
});
const preflight = (origin: string) =>
  `OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: PUT\r\n\r\n`;
const FULL = {
  allow_methods: "GET,PUT",
  allow_headers: "x-own",
  expose_headers: "x-seen",
  max_age: "60",
  allow_credentials: true,
};
const corsCases: readonly {
  readonly name: string;
  readonly policy: object;
  readonly request: string;
  readonly has: readonly string[];
  readonly hasNot?: readonly string[];
  readonly reaches: boolean;
}[] = [
  {
    name: "a preflight of an allowed origin is answered",
    policy: FULL,
    request: preflight("https://shop.example"),
    has: [
      "access-control-allow-origin: https://shop.example",
      "access-control-allow-credentials: true",
      "access-control-allow-methods: GET,PUT",
      "access-control-allow-headers: x-own",
      "access-control-expose-headers: x-seen",
      "access-control-max-age: 60",
    ],
    reaches: false,
  },
  {
    name: "a preflight of another origin is the application's",
    policy: FULL,
    request: preflight("https://evil.example"),
    has: [],
    hasNot: ["access-control-allow-origin"],
    reaches: true,
  },
  {
    name: "a preflight of another origin is answered without permission where it is not forwarded",
    policy: { ...FULL, forward_not_matching_preflights: false },
    request: preflight("https://evil.example"),
    has: [],
    hasNot: ["access-control-allow-origin"],
    reaches: false,
  },
  {
    name: "a request of an allowed origin goes on and its answer is shown to the page",
    policy: FULL,
    request: "GET / HTTP/1.1\r\nHost: x\r\nOrigin: https://a.trusted.example\r\n\r\n",
    has: [
      "access-control-allow-origin: https://a.trusted.example",
      "access-control-allow-credentials: true",
      "access-control-expose-headers: x-seen",
    ],
    hasNot: ["access-control-allow-methods"],
    reaches: true,
  },
  {
    name: "a request of another origin goes on without permission",
    policy: FULL,
    request: "GET / HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n",
    has: [],
    hasNot: ["access-control-allow-origin"],
    reaches: true,
  },
  {
    name: "a request without origin is untouched",
    policy: FULL,
    request: GET,
    has: [],
    hasNot: ["access-control"],
    reaches: true,
  },
];
for (const c of corsCases) {
  test(`CORS: ${c.name}`, async (t) => {
    const upstream = await startUpstream(t, replying(OK));
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port])],
      listeners: [
        httpListener([{ match: { prefix: "/" }, route: { cluster: "a" }, ...corsPolicy(c.policy) }], {}, [CORS_FILTER]),
      ],
    });
    const text = await exchange(h.port(), c.request, (r) => r.endsWith("\r\n\r\n") || r.endsWith("hello"));
    assert.match(text, /^HTTP\/1\.1 200 /);
    for (const header of c.has) assert.ok(text.includes(`${header}\r\n`), `${header} is not in ${text}`);
    for (const header of c.hasNot ?? []) assert.ok(!text.includes(header), `${header} is in ${text}`);
    assert.equal(upstream.received.length > 0, c.reaches);
  });
}

test("a pipelined request's time-out runs from its own beginning, not from when its bytes came", async (t) => {
  // Three answers of 250 ms each and a time-out of 600 ms: counted from the arrival of the bytes, the third would be cut.
  const upstream = await startUpstream(t, (received, socket, connection) => {
    if (!received.includes("\r\n\r\n")) return;
    connection.bytes = "";
    setTimeout(() => socket.write(OK), 250);
  });
  const route = { cluster: "a", timeout: "0.6s" };
  const harness = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { prefix: "/" }, route }])],
  });
  const answers = await exchange(harness.port(), GET.repeat(3), (received) => received.split("hello").length === 4);
  assert.equal(answers.split("HTTP/1.1 200 OK").length, 4);
});
