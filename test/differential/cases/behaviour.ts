/** Time-outs, retries, faults, CORS, upgrades, CONNECT, 100-continue, HTTP/1.0, limits of a connection. */
import { type Answer, answer, type Case, get, group, post } from "../case.ts";

const ok = answer(["HTTP/1.1 200 OK", "content-length: 2"], "ok");
const status = (code: number, more: readonly string[] = []) =>
  answer([`HTTP/1.1 ${code} X`, ...more, "content-length: 0"]);
const silent: Answer = { pieces: [] };
const cut: Answer = { pieces: [], closing: "end" };
const switching: Answer = {
  pieces: ["HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello"],
};
const upgradeTo = (type: string, path = "/ws", connection = "upgrade") =>
  get(path, [`connection: ${connection}`, `upgrade: ${type}`]);
const connectTo = (authority: string, more: readonly string[] = []) =>
  [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...more, "", ""].join("\r\n");
const old = (line: string, more: readonly string[] = []) => [line, ...more, "", ""].join("\r\n");

const TIMEOUTS: readonly Case[] = [
  { name: "route", send: [get("/t/short")], answers: [silent], quietMs: 300 },
  { name: "route, with body", send: [post("/t/short", ["content-length: 2"], "ab")], answers: [silent], quietMs: 300 },
  {
    name: "route, during the response",
    send: [get("/t/short")],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"] }],
    quietMs: 300,
  },
  { name: "route, grpc", send: [get("/t/short", ["content-type: application/grpc"])], answers: [silent], quietMs: 300 },
  { name: "per try", send: [get("/t/try")], answers: [silent], quietMs: 300 },
  { name: "per try, second answers", send: [get("/t/try")], answers: [silent, ok], quietMs: 300 },
  { name: "route idle", send: [get("/t/idle")], answers: [silent], quietMs: 400 },
  {
    name: "route idle, body cut",
    send: [post("/t/idle", ["content-length: 9"], "ab")],
    answers: [silent],
    quietMs: 400,
  },
  { name: "longest duration", send: [get("/t/max")], answers: [silent], quietMs: 400 },
  {
    name: "asked for by the client",
    send: [get("/t/zero", ["x-envoy-upstream-rq-timeout-ms: 100"])],
    answers: [silent],
    quietMs: 300,
  },
  { name: "stream idle", listener: "timers", send: [get("/t/zero")], answers: [silent], quietMs: 500 },
  {
    name: "stream idle, body cut",
    listener: "timers",
    send: [post("/t/zero", ["content-length: 9"], "ab")],
    answers: [silent],
    quietMs: 500,
  },
  {
    name: "stream idle during the response",
    listener: "timers",
    send: [get("/t/zero")],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"] }],
    quietMs: 500,
  },
  { name: "head never ends", listener: "timers", send: ["GET / HTTP/1.1\r\nHost: shop\r\n"], quietMs: 400 },
  { name: "idle connection", listener: "timers", send: [get("/")], quietMs: 800 },
  { name: "no request at all", listener: "timers", send: [], quietMs: 800 },
  {
    name: "request never ends",
    listener: "request",
    send: [post("/", ["content-length: 9"], "ab")],
    answers: [silent],
    quietMs: 300,
  },
  { name: "request ends in time", listener: "request", send: [post("/", ["content-length: 2"], "ab")], quietMs: 300 },
];

const RETRIES: readonly Case[] = [
  { name: "5xx, then 200", send: [get("/retry/5xx")], answers: [status(500), ok] },
  { name: "5xx, used up", send: [get("/retry/5xx")], answers: [status(503)] },
  { name: "5xx, not of 404", send: [get("/retry/5xx")], answers: [status(404)] },
  { name: "5xx with body", send: [post("/retry/5xx", ["content-length: 5"], "hello")], answers: [status(500), ok] },
  {
    name: "5xx with chunked body and trailers",
    send: [post("/retry/5xx", ["transfer-encoding: chunked"], "5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n")],
    answers: [status(500), ok],
  },
  { name: "5xx of a cut connection", send: [get("/retry/5xx")], answers: [cut, ok] },
  { name: "gateway-error of 500", send: [get("/retry/gateway")], answers: [status(500), ok] },
  { name: "gateway-error of 502", send: [get("/retry/gateway")], answers: [status(502), ok] },
  { name: "gateway-error of a cut connection", send: [get("/retry/gateway")], answers: [cut, ok] },
  { name: "status codes", send: [get("/retry/codes")], answers: [status(418), ok] },
  { name: "status codes, other", send: [get("/retry/codes")], answers: [status(503), ok] },
  { name: "status codes of a cut connection", send: [get("/retry/codes")], answers: [cut, ok] },
  { name: "4xx", send: [get("/retry/4xx")], answers: [status(409), ok] },
  { name: "4xx, other", send: [get("/retry/4xx")], answers: [status(404), ok] },
  { name: "reset", send: [get("/retry/reset")], answers: [cut, ok] },
  { name: "reset, used up", send: [get("/retry/reset")], answers: [cut] },
  { name: "reset of RST", send: [get("/retry/reset")], answers: [{ pieces: [], closing: "reset" }, ok] },
  { name: "reset before the request", send: [get("/retry/before")], answers: [cut, ok] },
  { name: "reset of bad HTTP", send: [get("/retry/reset")], answers: [{ pieces: ["junk\r\n\r\n"] }, ok] },
  {
    name: "reset after the head",
    send: [get("/retry/reset")],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"], closing: "end" }, ok],
    quietMs: 1500,
  },
  { name: "connect failure", send: [get("/retry/connect")], quietMs: 200 },
  {
    name: "response header",
    send: [get("/retry/headers")],
    answers: [answer(["HTTP/1.1 200 OK", "x-again: 1", "content-length: 0"]), ok],
  },
  { name: "ratelimited", send: [get("/retry/5xx")], answers: [status(503, ["x-envoy-ratelimited: true"]), ok] },
  { name: "overloaded", send: [get("/retry/5xx")], answers: [status(503, ["x-envoy-overloaded: true"]), ok] },
  {
    name: "asked for by the client, main",
    send: [get("/retry/none", ["x-envoy-retry-on: 5xx"])],
    answers: [status(503), ok],
  },
  {
    name: "asked for by the client, inside",
    listener: "inside",
    send: [get("/retry/none", ["x-envoy-retry-on: 5xx", "x-envoy-max-retries: 2"])],
    answers: [status(503), status(503), ok],
  },
  {
    name: "asked for by the client, edge",
    listener: "edge",
    send: [get("/retry/none", ["x-envoy-retry-on: 5xx"])],
    answers: [status(503), ok],
  },
  { name: "attempts counted", send: [get("/", [], "attempts")], answers: [status(503), ok] },
  { name: "attempts counted to the end", send: [get("/", [], "attempts")], answers: [status(503)] },
  {
    name: "1xx before the failure",
    send: [get("/retry/5xx")],
    answers: [{ pieces: ["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"] }, ok],
  },
];

const FILTERS: readonly Case[] = [
  ...["/f/abort", "/f/delay", "/f/both", "/f/none"].map((path) => ({ name: path, send: [get(path)], quietMs: 120 })),
  { name: "abort with body", send: [post("/f/abort", ["content-length: 5"], "hello") + get("/next")] },
  { name: "abort, grpc", send: [get("/f/abort", ["content-type: application/grpc"])] },
  { name: "abort of a user", send: [get("/f/header", ["x-user: jason"])] },
  { name: "abort of another user", send: [get("/f/header", ["x-user: other"])] },
  { name: "abort, HEAD", send: ["HEAD /f/abort HTTP/1.1\r\nHost: shop\r\n\r\n"] },
  { name: "delay, pipelined", send: [get("/f/delay") + get("/f/delay")], quietMs: 150 },
  { name: "cors, simple", send: [get("/cors", ["origin: https://good.example"])] },
  { name: "cors, regex", send: [get("/cors", ["origin: https://a.ok"])] },
  { name: "cors, foreign", send: [get("/cors", ["origin: https://bad.example"])] },
  { name: "cors, case", send: [get("/cors", ["origin: HTTPS://GOOD.EXAMPLE"])] },
  { name: "cors, no origin", send: [get("/cors")] },
  { name: "cors, empty origin", send: [get("/cors", ["origin:"])] },
  ...["https://good.example", "https://bad.example"].flatMap((origin) => [
    {
      name: `cors, preflight of ${origin}`,
      send: [
        `OPTIONS /cors HTTP/1.1\r\nHost: shop\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n\r\n`,
      ],
    },
    {
      name: `cors, OPTIONS of ${origin} that is no preflight`,
      send: [`OPTIONS /cors HTTP/1.1\r\nHost: shop\r\nOrigin: ${origin}\r\n\r\n`],
    },
  ]),
  {
    name: "cors, upstream sets its own",
    send: [get("/cors", ["origin: https://good.example"])],
    answers: [
      answer([
        "HTTP/1.1 200 OK",
        "access-control-allow-origin: *",
        "access-control-expose-headers: x-z",
        "content-length: 0",
      ]),
    ],
  },
];

const UPGRADES: readonly Case[] = [
  { name: "websocket", send: [upgradeTo("websocket"), { after: "hello" }, "ping"], answers: [switching] },
  {
    name: "websocket of the listener",
    listener: "upgrade",
    send: [upgradeTo("websocket", "/x"), { after: "hello" }, "ping"],
    answers: [switching],
  },
  { name: "websocket not allowed", send: [upgradeTo("websocket", "/x")], answers: [switching] },
  { name: "case of the type", send: [upgradeTo("WebSocket"), { after: "hello" }, "ping"], answers: [switching] },
  { name: "other type", send: [upgradeTo("other")], answers: [switching] },
  { name: "two types", send: [upgradeTo("websocket, other")], answers: [switching] },
  {
    name: "connection list",
    send: [upgradeTo("websocket", "/ws", "keep-alive, Upgrade"), { after: "hello" }, "ping"],
    answers: [switching],
  },
  { name: "without Connection", send: [get("/ws", ["upgrade: websocket"])], answers: [ok] },
  { name: "Connection without Upgrade", send: [get("/ws", ["connection: upgrade"])], answers: [ok] },
  {
    name: "refused by the upstream",
    send: [upgradeTo("websocket")],
    answers: [answer(["HTTP/1.1 400 Bad Request", "content-length: 2"], "no")],
  },
  {
    name: "answered 200 by the upstream",
    send: [upgradeTo("websocket"), { after: "ok" }, get("/next")],
    answers: [ok],
  },
  { name: "bytes before the 101", send: [`${upgradeTo("websocket")}early`], answers: [switching] },
  {
    name: "a request before the answer",
    send: [upgradeTo("websocket") + get("/smuggled")],
    answers: [answer(["HTTP/1.1 400 X", "content-length: 2"], "no")],
  },
  {
    name: "with a body",
    send: [post("/ws", ["connection: upgrade", "upgrade: websocket", "content-length: 5"], "hello")],
    answers: [switching],
  },
  {
    name: "chunked",
    send: [post("/ws", ["connection: upgrade", "upgrade: websocket", "transfer-encoding: chunked"], "0\r\n\r\n")],
    answers: [switching],
  },
  {
    name: "101 with length",
    send: [upgradeTo("websocket")],
    answers: [
      {
        pieces: [
          "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 5\r\n\r\nhello",
        ],
      },
    ],
  },
  {
    name: "101 without upgrade fields",
    send: [upgradeTo("websocket")],
    answers: [{ pieces: ["HTTP/1.1 101 Switching Protocols\r\n\r\nhello"] }],
  },
  {
    name: "101 of another type",
    send: [upgradeTo("websocket")],
    answers: [{ pieces: ["HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\nhello"] }],
  },
  {
    name: "103 before the 101",
    send: [upgradeTo("websocket")],
    answers: [{ pieces: [`HTTP/1.1 103 Early Hints\r\n\r\n${switching.pieces[0]}`] }],
  },
  {
    name: "HTTP/1.0",
    listener: "http10",
    send: [old("GET /ws HTTP/1.0", ["Host: shop", "connection: upgrade", "upgrade: websocket"])],
    answers: [switching],
  },
  {
    name: "half-close of the client",
    send: [upgradeTo("websocket"), { after: "hello" }, "bye"],
    halfCloses: true,
    answers: [switching],
  },
  {
    name: "closed by the upstream",
    send: [upgradeTo("websocket")],
    answers: [{ ...switching, closing: "end" }],
    quietMs: 1500,
  },
  {
    name: "h2c with settings",
    send: [get("/ws", ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"])],
    answers: [ok],
  },
];

const CONNECTS: readonly Case[] = [
  { name: "terminated", listener: "upgrade", send: [connectTo("up.example:443"), { after: "200" }, "raw"] },
  { name: "terminated, bytes at once", listener: "upgrade", send: [`${connectTo("up.example:443")}raw`] },
  {
    name: "forwarded",
    listener: "upgrade",
    send: [connectTo("chain.example:443"), { after: "200" }, "raw"],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\n\r\n"] }],
  },
  {
    name: "forwarded, bytes at once",
    listener: "upgrade",
    send: [`${connectTo("chain.example:443")}raw`],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\n\r\n"] }],
  },
  {
    name: "forwarded, refused",
    listener: "upgrade",
    send: [`${connectTo("chain.example:443")}${get("/smuggled")}`],
    answers: [status(403)],
  },
  {
    name: "forwarded, 200 with length",
    listener: "upgrade",
    send: [connectTo("chain.example:443"), { after: "200" }, "raw"],
    answers: [{ pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"] }],
  },
  { name: "no route", listener: "upgrade", send: [connectTo("one:443")] },
  { name: "not enabled", send: [connectTo("nobody:443")] },
  { name: "enabled by the route", send: [connectTo("up.example:443"), { after: "200" }, "raw"] },
  { name: "path as target", send: ["CONNECT /exact HTTP/1.1\r\nHost: shop\r\n\r\n"] },
  { name: "absolute target", send: ["CONNECT http://shop/exact HTTP/1.1\r\nHost: shop\r\n\r\n"] },
  { name: "no port", listener: "upgrade", send: [connectTo("up.example")] },
  { name: "another Host", listener: "upgrade", send: ["CONNECT up.example:443 HTTP/1.1\r\nHost: shop\r\n\r\n"] },
  { name: "no Host", listener: "upgrade", send: ["CONNECT up.example:443 HTTP/1.1\r\n\r\n"] },
  { name: "content-length", listener: "upgrade", send: [`${connectTo("up.example:443", ["content-length: 5"])}hello`] },
  {
    name: "chunked",
    listener: "upgrade",
    send: [`${connectTo("up.example:443", ["transfer-encoding: chunked"])}0\r\n\r\n`],
  },
  { name: "HTTP/1.0", listener: "upgrade", send: ["CONNECT up.example:443 HTTP/1.0\r\n\r\n"] },
];

const EXPECT: readonly Case[] = [
  {
    name: "answered by us",
    send: [post("/", ["expect: 100-continue", "content-length: 5"], ""), { after: "100" }, "hello"],
  },
  { name: "body at once", send: [post("/", ["expect: 100-continue", "content-length: 5"], "hello")] },
  { name: "case", send: [post("/", ["Expect: 100-Continue", "content-length: 5"], "hello")] },
  { name: "without body", send: [get("/", ["expect: 100-continue"])] },
  { name: "other expectation", send: [post("/", ["expect: something", "content-length: 5"], "hello")] },
  { name: "of a direct response", send: [post("/d/ok", ["expect: 100-continue", "content-length: 5"], "")] },
  { name: "of no route", send: ["POST /x HTTP/1.1\r\nHost: one\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"] },
  {
    name: "proxied",
    listener: "continue",
    send: [post("/", ["expect: 100-continue", "content-length: 5"], ""), { after: "100" }, "hello"],
    answers: [
      { pieces: ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], when: "head" },
    ],
  },
  {
    name: "proxied, refused",
    listener: "continue",
    send: [post("/", ["expect: 100-continue", "content-length: 5"], "")],
    answers: [{ pieces: ["HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n"], when: "head" }],
  },
  {
    name: "HTTP/1.0",
    listener: "http10",
    send: [`${old("POST / HTTP/1.0", ["Host: shop", "expect: 100-continue", "content-length: 5"])}hello`],
  },
];

const OLD: readonly Case[] = [
  { name: "plain", send: [old("GET / HTTP/1.0", ["Host: shop"])] },
  { name: "keep-alive", send: [old("GET / HTTP/1.0", ["Host: shop", "connection: keep-alive"])] },
  { name: "no Host", send: [old("GET / HTTP/1.0")] },
  { name: "accepted", send: [old("GET / HTTP/1.0", ["Host: shop"])] },
  { name: "accepted, default host", send: [old("GET /exact HTTP/1.0")] },
  {
    name: "accepted, keep-alive",
    send: [
      old("GET / HTTP/1.0", ["Host: shop", "connection: keep-alive"]),
      { after: "a" },
      old("GET / HTTP/1.0", ["Host: shop"]),
    ],
  },
  { name: "accepted, body", send: [`${old("POST / HTTP/1.0", ["Host: shop", "content-length: 5"])}hello`] },
  { name: "accepted, no length", send: [`${old("POST / HTTP/1.0", ["Host: shop"])}hello`] },
  {
    name: "accepted, chunked answer",
    send: [old("GET / HTTP/1.0", ["Host: shop"])],
    answers: [answer(["HTTP/1.1 200 OK", "transfer-encoding: chunked"], "2\r\nok\r\n0\r\n\r\n")],
  },
  {
    name: "accepted, chunked answer, keep-alive",
    send: [old("GET / HTTP/1.0", ["Host: shop", "connection: keep-alive"])],
    answers: [answer(["HTTP/1.1 200 OK", "transfer-encoding: chunked"], "2\r\nok\r\n0\r\n\r\n")],
  },
  {
    name: "accepted, 103",
    send: [old("GET / HTTP/1.0", ["Host: shop"])],
    answers: [{ pieces: ["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] }],
  },
  { name: "accepted, direct response", send: [old("GET /d/ok HTTP/1.0", ["Host: shop"])] },
  {
    name: "accepted, direct response, keep-alive",
    send: [old("GET /d/ok HTTP/1.0", ["Host: shop", "connection: keep-alive"])],
  },
  { name: "accepted, absolute target", send: [old("GET http://shop/exact HTTP/1.0")] },
].map((one) => (one.name.startsWith("accepted") ? { ...one, listener: "http10" } : one));

const CONNECTION: readonly Case[] = [
  { name: "two requests of two", listener: "once", send: [get("/1"), { after: "a" }, get("/2")] },
  { name: "three requests of two, pipelined", listener: "once", send: [get("/1") + get("/2") + get("/3")] },
  { name: "closed by the client before the answer", send: [get("/")], answers: [silent], halfCloses: true },
  { name: "half-close after the request", send: [get("/")], halfCloses: true },
  { name: "half-close without request", send: [], halfCloses: true },
  { name: "half-close in the head", send: ["GET / HT"], halfCloses: true },
];

export const BEHAVIOUR_CASES: readonly Case[] = [
  ...group("time-out", TIMEOUTS),
  ...group("retry", RETRIES),
  ...group("filter", FILTERS),
  ...group("upgrade", UPGRADES),
  ...group("CONNECT", CONNECTS),
  ...group("expect", EXPECT),
  ...group("HTTP/1.0", OLD),
  ...group("connection", CONNECTION),
];
