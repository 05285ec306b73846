import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ENVOY_READER_OPTIONS, type ReaderOptions } from "./events.ts";
import { createRequestReader, createResponseReader } from "./reader.ts";

interface Case {
  readonly name: string;
  readonly input: string;
  /** `head…`, `body…`, `end` as transcript() writes them. */
  readonly want: readonly string[];
  readonly options?: ReaderOptions;
  /** Response cases: the methods of the requests, in order. */
  readonly methods?: readonly string[];
  readonly finish?: boolean;
}

const head = (line: string, framing: string, ...fields: string[]) => [`${line} ${framing}`, ...fields].join(" | ");
const POST = "POST /p HTTP/1.1\r\nHost: a\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const chunkedHead = head("POST /p 1.1", "chunked keep", "host=a", "transfer-encoding=chunked");

const requests: readonly Case[] = [
  {
    name: "a request without a body",
    input: "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Trim: \t v w \t\r\n\r\n",
    want: [head("GET /a?b=c 1.1", "none keep", "host=h", "x-empty=", "x-trim=v w"), "end"],
  },
  {
    name: "a body by length, then a pipelined request",
    input: `${POST}content-length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n`,
    want: [
      head("POST /p 1.1", "length:3 keep", "host=a", "content-length=3"),
      "body abc",
      "end",
      head("GET / 1.1", "none keep"),
      "end",
    ],
  },
  {
    name: "chunks with extensions and trailers",
    input: `${CHUNKED}5;a=b;c="d;\\"e";f\r\nhello\r\n00A\r\n0123456789\r\n0;x\r\nT-One: 1\r\nt-two:2\r\n\r\n`,
    want: [chunkedHead, "body hello0123456789", "trailers t-one=1 t-two=2", "end"],
  },
  {
    name: "empty lines before a request are skipped",
    input: "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    want: [head("GET / 1.1", "none keep"), "end"],
  },
  {
    name: "HTTP/1.0 closes unless it asks to be kept",
    input: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    want: [head("GET / 1.0", "none keep", "connection=Keep-Alive"), "end", head("GET / 1.0", "none close"), "end"],
  },
  {
    name: "Connection: close ends the connection",
    input: "GET / HTTP/1.1\r\nConnection: a, Close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    want: [head("GET / 1.1", "none close", "connection=a, Close"), "end", "error data-after-close 400"],
  },
  {
    name: "an expectation and an upgrade are told",
    input: "GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nExpect: 100-Continue\r\n\r\n",
    want: [
      head(
        "GET /ws 1.1",
        "none keep expect upgrade:websocket",
        "connection=keep-alive, Upgrade",
        "upgrade=websocket",
        "expect=100-Continue",
      ),
      "end",
    ],
  },
  {
    name: "an absolute target, CONNECT and OPTIONS *",
    input: "GET http://u@h:80/x#f HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\nCONNECT h:443 HTTP/1.1\r\n\r\n",
    want: [
      head("GET http://u@h:80/x#f 1.1", "none keep"),
      "end",
      head("OPTIONS * 1.1", "none keep"),
      "end",
      head("CONNECT h:443 1.1", "none keep"),
      "end",
    ],
  },
  {
    name: "CONNECT with a body",
    options: ENVOY_READER_OPTIONS,
    input: "CONNECT h:443 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
    want: ["error body-not-allowed 400"],
  },
  {
    name: "CONNECT with a chunked body",
    options: ENVOY_READER_OPTIONS,
    input: "CONNECT h:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    want: ["error unsupported-transfer-encoding 501"],
  },
  ...["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/3.7"].map((version) => ({
    name: `${version}, which is not ours`,
    input: `GET / ${version}\r\nHost: a\r\n\r\n`,
    want: ["error unsupported-version 426"],
  })),
  ...["* HTTP/1.1", "ftp://a/ HTTP/1.1", "http://a%2fb/ HTTP/1.1", "http:///x HTTP/1.1", "http://a@/ HTTP/1.1"].map(
    (rest) => ({
      name: `GET of a target that is none: ${rest}`,
      input: `GET ${rest}\r\nHost: a\r\n\r\n`,
      want: ["error invalid-target 400"],
    }),
  ),
  {
    name: "proxy-connection: close closes",
    input: "GET / HTTP/1.1\r\nProxy-Connection: Close\r\n\r\n",
    want: [head("GET / 1.1", "none close", "proxy-connection=Close"), "end"],
  },
  {
    name: "other codings before chunked, where they are allowed",
    input: `${POST}Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n`,
    want: [head("POST /p 1.1", "chunked keep", "host=a", "transfer-encoding=gzip", "transfer-encoding=Chunked"), "end"],
  },
  {
    name: "other codings are 501 with chunked-only",
    input: `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    options: { transferCodings: "chunked-only" },
    want: ["error unsupported-transfer-encoding 501"],
  },
  {
    name: "the end between messages is clean",
    input: "GET / HTTP/1.1\r\n\r\n",
    finish: true,
    want: [head("GET / 1.1", "none keep"), "end", "closed"],
  },
  {
    name: "the end in a head is an error",
    input: "GET / HTTP/1.1\r\nHo",
    finish: true,
    want: ["error cut-message 400"],
  },
  {
    name: "the end in a body is an error",
    input: `${POST}Content-Length: 9\r\n\r\nabc`,
    finish: true,
    want: [head("POST /p 1.1", "length:9 keep", "host=a", "content-length=9"), "body abc", "error cut-message 400"],
  },
  {
    name: "100 headers are accepted",
    input: `GET / HTTP/1.1\r\n${"a:b\r\n".repeat(100)}\r\n`,
    want: [head("GET / 1.1", "none keep", ...Array<string>(100).fill("a=b")), "end"],
  },
];

const error = (name: string, input: string, code: string, status = 400): Case => ({
  name,
  input,
  want: [`error ${code} ${status}`],
});
const inChunked = (name: string, rest: string, code: string, ...before: string[]): Case => ({
  name,
  input: CHUNKED + rest,
  want: [chunkedHead, ...before, `error ${code} 400`],
});

const refused: readonly Case[] = [
  error("an unknown method", "BREW / HTTP/1.1\r\n\r\n", "invalid-method"),
  error("a lower-case method", "get / HTTP/1.1\r\n\r\n", "invalid-method"),
  error("junk without a blank", "\x16\x03\x01\x02\x00", "invalid-method"),
  error("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "invalid-method"),
  error("a blank before the method", " GET / HTTP/1.1\r\n\r\n", "invalid-method"),
  error("two blanks before the target", "GET  / HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a control character in the target", "GET /\x01 HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a high byte in the target", "GET /\xe9 HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a target that is no path", "GET x HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a scheme without slashes", "GET http:/x HTTP/1.1\r\n\r\n", "invalid-target"),
  error("two @ in an authority", "GET http://a@b@c/ HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a fragment right after the authority", "GET http://a#b HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a scheme that is no word", "GET ht+tp://a/ HTTP/1.1\r\n\r\n", "invalid-target"),
  error("CONNECT to a path", "CONNECT /x HTTP/1.1\r\n\r\n", "invalid-target"),
  error("a tab after a length", `${POST}Content-Length: 5\t\r\n\r\nhello`, "invalid-content-length"),
  error("a blank and a tab after a length", `${POST}Content-Length: 5 \t\r\n\r\nhello`, "invalid-content-length"),
  error("HTTP/0.9", "GET /\r\n\r\n", "invalid-target"),
  error("HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", "unsupported-version", 426),
  error("HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", "unsupported-version", 426),
  error("HTTP/01.1", "GET / HTTP/01.1\r\n\r\n", "invalid-version"),
  error("lower-case http", "GET / http/1.1\r\n\r\n", "invalid-version"),
  error("a blank after the version", "GET / HTTP/1.1 \r\n\r\n", "invalid-start-line"),
  error("a bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "invalid-line-end"),
  error("a bare CR after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", "invalid-line-end"),
  error("a blank before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "invalid-header-name"),
  error("a folded header", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "folded-header"),
  error("a header folded with a tab", "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", "folded-header"),
  error("a blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "invalid-header-name"),
  error("a header without a name", "GET / HTTP/1.1\r\n: a\r\n\r\n", "invalid-header-name"),
  error("a header without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", "invalid-header-name"),
  error("a high byte in a name", "GET / HTTP/1.1\r\nH\xf6st: a\r\n\r\n", "invalid-header-name"),
  error("NUL in a value", "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", "invalid-header-value"),
  error("DEL in a value", "GET / HTTP/1.1\r\nX: a\x7fb\r\n\r\n", "invalid-header-value"),
  error("a bare LF after a value", "GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "invalid-line-end"),
  error("a bare CR in a value", "GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n", "invalid-line-end"),
  error("CR CR LF after a value", "GET / HTTP/1.1\r\nX: a\r\r\n\r\n", "invalid-line-end"),
  error("a bare CR instead of the empty line", "GET / HTTP/1.1\r\nX: a\r\n\rabc", "invalid-line-end"),
  error("two Host headers", `${POST}HOST: b\r\n\r\n`, "invalid-host"),
  error("a length with a sign", `${POST}Content-Length: +1\r\n\r\na`, "invalid-content-length"),
  error("a negative length", `${POST}Content-Length: -1\r\n\r\n`, "invalid-content-length"),
  error("a length with an underscore", `${POST}Content-Length: 1_0\r\n\r\n`, "invalid-content-length"),
  error("a hexadecimal length", `${POST}Content-Length: 0x1\r\n\r\n`, "invalid-content-length"),
  error("an empty length", `${POST}Content-Length:\r\n\r\n`, "invalid-content-length"),
  error("a list of lengths", `${POST}Content-Length: 1, 1\r\n\r\na`, "invalid-content-length"),
  error("two lengths", `${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, "invalid-content-length"),
  error("a length beyond 2^53", `${POST}Content-Length: 9007199254740993\r\n`, "invalid-content-length"),
  error(
    "length and chunked",
    `${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n`,
    "length-and-transfer-encoding",
  ),
  error(
    "chunked and length",
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n`,
    "length-and-transfer-encoding",
  ),
  error("chunked not last", `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`, "invalid-transfer-encoding", 501),
  error("chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`, "invalid-transfer-encoding", 501),
  error("another word for chunked", `${POST}Transfer-Encoding: xchunked\r\n\r\n`, "invalid-transfer-encoding", 501),
  error("an empty transfer coding", `${POST}Transfer-Encoding: ,chunked\r\n\r\n`, "invalid-transfer-encoding", 501),
  error("101 headers", `GET / HTTP/1.1\r\n${"a:b\r\n".repeat(101)}\r\n`, "too-many-headers", 431),
  error("a head of more than 60 KiB", `GET / HTTP/1.1\r\nx: ${"y".repeat(61_430)}\r\n\r\n`, "head-too-large", 431),
  error("an endless target", `GET /${"y".repeat(70_000)}`, "head-too-large", 431),
  inChunked("a chunk size of nothing", "\r\n", "invalid-chunk-size"),
  inChunked("a chunk size with 0x", "0x5\r\nhello\r\n", "invalid-chunk-size"),
  inChunked("a chunk size with a sign", "+5\r\nhello\r\n", "invalid-chunk-size"),
  inChunked("a blank after the chunk size", "5 \r\nhello\r\n", "invalid-chunk-size"),
  inChunked("a chunk size that overflows", "fffffffffffffffff\r\n", "invalid-chunk-size"),
  inChunked("a bare LF after the chunk size", "5\nhello\r\n", "invalid-chunk-size"),
  inChunked("a bare CR after the chunk size", "5\rhello\r\n", "invalid-line-end"),
  inChunked("a bare LF in a chunk extension", "5;a\nb\r\nhello\r\n", "invalid-chunk-extension"),
  inChunked("an unquoted blank in a chunk extension", "5;a b\r\nhello\r\n", "invalid-chunk-extension"),
  inChunked("an open quote in a chunk extension", '5;a="b\r\nhello\r\n', "invalid-chunk-extension"),
  inChunked("an endless chunk extension", `5;${"a".repeat(20_000)}`, "invalid-chunk-extension"),
  inChunked("a chunk longer than its size", "5\r\nhello!\r\n", "invalid-chunk-end", "body hello"),
  inChunked("a chunk that ends with a bare LF", "5\r\nhello\n0\r\n\r\n", "invalid-chunk-end", "body hello"),
  inChunked("a length in the trailers", "0\r\nContent-Length: 3\r\n\r\n", "length-and-transfer-encoding"),
  inChunked("a coding in the trailers", "0\r\nTransfer-Encoding: x\r\n\r\n", "length-and-transfer-encoding"),
  inChunked("a folded trailer", "0\r\nX: a\r\n b\r\n\r\n", "folded-header"),
];

const responses: readonly Case[] = [
  ...[
    ["204 with a length", "HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\nhi", "body-not-allowed"],
    ["204 with chunked", "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n", "body-not-allowed"],
    ["103 with a length", "HTTP/1.1 103 X\r\nContent-Length: 2\r\n\r\n", "body-not-allowed"],
    ["101 with a length", "HTTP/1.1 101 X\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n", "body-not-allowed"],
    ["101 that names no protocol", "HTTP/1.1 101 X\r\n\r\n", "unwanted-upgrade"],
    ["an empty line before a response", "\r\nHTTP/1.1 200 OK\r\n\r\n", "invalid-version"],
  ].map(([name = "", input = "", code]) => ({
    name: `${name} is refused`,
    input,
    options: ENVOY_READER_OPTIONS,
    methods: ["GET"],
    want: [`error ${code} 400`],
  })),
  {
    name: "responses by length and without reason",
    input: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 301\r\nContent-Length: 0\r\n\r\n",
    methods: ["GET", "GET"],
    want: [
      head("200 OK 1.1", "length:2 keep", "content-length=2"),
      "body hi",
      "end",
      head("301  1.1", "none keep", "content-length=0"),
      "end",
    ],
  },
  {
    name: "until the connection closes",
    input: "HTTP/1.1 200 OK\r\n\r\nall of it",
    methods: ["GET"],
    finish: true,
    want: [head("200 OK 1.1", "until-close close"), "body all of it", "end", "closed"],
  },
  {
    name: "HEAD, 204 and 304 have no body whatever they announce",
    input:
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    methods: ["HEAD", "GET", "GET"],
    want: [
      head("200 OK 1.1", "none keep", "content-length=9"),
      "end",
      head("204 No Content 1.1", "none keep"),
      "end",
      head("304 Not Modified 1.1", "none keep", "transfer-encoding=chunked"),
      "end",
    ],
  },
  {
    name: "interim responses come before the final one",
    input:
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    methods: ["POST"],
    want: [
      `informational ${head("100 Continue 1.1", "none keep")}`,
      `informational ${head("103 Early Hints 1.1", "none keep", "link=x")}`,
      head("200 OK 1.1", "none keep", "content-length=0"),
      "end",
    ],
  },
  {
    name: "a response with chunked twice",
    input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-transfer-encoding 501"],
  },
  {
    name: "101 begins a tunnel",
    input: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw\0bytes",
    methods: ["GET"],
    finish: true,
    want: [head("101 Switching Protocols 1.1", "tunnel close", "upgrade=x"), "body raw\0bytes", "end", "closed"],
  },
  {
    name: "2xx to CONNECT begins a tunnel",
    input: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef",
    methods: ["CONNECT"],
    finish: true,
    want: [head("200 OK 1.1", "tunnel close", "content-length=3"), "body abcdef", "end", "closed"],
  },
  {
    name: "bytes that nobody asked for",
    input: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    methods: ["GET"],
    want: [head("200 OK 1.1", "none keep", "content-length=0"), "end", "error unexpected-response 400"],
  },
  {
    name: "a transfer coding that is not chunked ends with the connection",
    input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzz",
    methods: ["GET"],
    finish: true,
    want: [head("200 OK 1.1", "until-close close", "transfer-encoding=gzip"), "body zz", "end", "closed"],
  },
  {
    name: "a tab after the version",
    input: "HTTP/1.1\t200 OK\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-start-line 400"],
  },
  {
    name: "a status of two digits",
    input: "HTTP/1.1 20 OK\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-status 400"],
  },
  {
    name: "a status of four digits",
    input: "HTTP/1.1 2000 OK\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-status 400"],
  },
  {
    name: "a status below 100",
    input: "HTTP/1.1 099 OK\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-status 400"],
  },
  {
    name: "NUL in the reason",
    input: "HTTP/1.1 200 O\0K\r\n\r\n",
    methods: ["GET"],
    want: ["error invalid-start-line 400"],
  },
];

/** Feeds the pieces and writes down what comes out; bodies are joined, so that splits do not show. */
function transcript(testCase: Case, pieces: readonly Buffer[], isRequest: boolean): string[] {
  const lines: string[] = [];
  const methods = [...(testCase.methods ?? [])];
  const requestReader = isRequest ? createRequestReader(testCase.options) : undefined;
  const responseReader = createResponseReader(testCase.options);
  const reader = requestReader ?? responseReader;
  const goOn = () => {
    if (requestReader !== undefined) requestReader.nextMessage();
    else {
      const method = methods.shift();
      if (method !== undefined) responseReader.nextMessage({ method });
    }
  };
  if (!isRequest) goOn();
  let body = "";
  /** False when nothing more can come. */
  const drain = (): boolean => {
    for (;;) {
      const event = reader.next();
      if (event.kind !== "body" && event.kind !== "need-data" && body !== "") {
        lines.push(`body ${body}`);
        body = "";
      }
      switch (event.kind) {
        case "need-data":
          return true;
        case "paused":
          return true;
        case "closed":
          lines.push("closed");
          return false;
        case "error":
          lines.push(`error ${event.error.code} ${event.error.status}`);
          assert.equal(reader.next().kind, "error");
          return false;
        case "body":
          assert.ok(event.end > event.start);
          body += event.buffer.toString("latin1", event.start, event.end);
          break;
        case "end":
          lines.push("end");
          goOn();
          break;
        case "trailers": {
          const fields: string[] = [];
          event.headers.forEach((name, value) => {
            fields.push(`${name}=${value}`);
          });
          lines.push(`trailers ${fields.join(" ")}`);
          break;
        }
        case "head":
        case "informational": {
          const told = event.head;
          const first = told.kind === "request" ? `${told.method} ${told.target}` : `${told.status} ${told.reason}`;
          const fields: string[] = [];
          told.headers.forEach((name, value) => {
            fields.push(`${name}=${value}`);
          });
          const extra =
            told.kind === "request"
              ? `${told.expectContinue ? " expect" : ""}${told.upgrade === undefined ? "" : ` upgrade:${told.upgrade}`}`
              : "";
          const framing = `${told.framing}${told.framing === "length" ? `:${told.contentLength}` : ""} ${told.keepAlive ? "keep" : "close"}${extra}`;
          lines.push(
            `${event.kind === "head" ? "" : "informational "}${head(`${first} 1.${told.minor}`, framing, ...fields)}`,
          );
        }
      }
    }
  };
  for (const piece of pieces) {
    // A copy that is wiped afterwards: the reader must not look at the caller's buffer after it said need-data.
    const shared = Buffer.concat([Buffer.from("zz"), piece, Buffer.from("zz")]);
    reader.feed(shared, 2, 2 + piece.length);
    if (!drain()) return lines;
    reader.retain();
    shared.fill(0x21);
  }
  if (testCase.finish === true) {
    reader.finish();
    drain();
  }
  return lines;
}

function split(input: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(input, "latin1");
  const points = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((start, i) => bytes.subarray(start, points[i] ?? bytes.length));
}

for (const [group, cases, isRequest] of [
  ["request", requests, true],
  ["refused request", refused, true],
  ["response", responses, false],
] as const) {
  for (const testCase of cases) {
    test(`${group}: ${testCase.name}`, () => {
      const bytes = Buffer.from(testCase.input, "latin1");
      assert.deepEqual(transcript(testCase, [bytes], isRequest), testCase.want, "whole");
      const single = Array.from(bytes, (byte) => Buffer.from([byte]));
      assert.deepEqual(transcript(testCase, single, isRequest), testCase.want, "byte by byte");
    });
  }
}

test("trailing bytes never change what was read before them", () => {
  for (const testCase of requests) {
    if (testCase.finish === true || testCase.want.includes("error data-after-close 400")) continue;
    const more = { ...testCase, input: `${testCase.input}GET /next HTT` };
    const got = transcript(more, [Buffer.from(more.input, "latin1")], true);
    const kept = testCase.want.filter((line) => !line.startsWith("error"));
    assert.deepEqual(got.slice(0, kept.length), kept, testCase.name);
  }
});

test("any split of the bytes gives the same events", () => {
  const all = [
    ...requests.map((c) => ({ c, isRequest: true })),
    ...refused.map((c) => ({ c, isRequest: true })),
    ...responses.map((c) => ({ c, isRequest: false })),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.array(fc.nat(80_000), { maxLength: 12 }), ({ c, isRequest }, cuts) => {
      assert.deepEqual(transcript(c, split(c.input, cuts), isRequest), c.want);
    }),
    { numRuns: 400 },
  );
});

test("random bytes never throw, and never depend on the split", () => {
  const alphabet = fc.constantFrom(
    ...'GET POST / HTTP/1.1\r\n:;="0123456789abcdef\tchunked,Transfer-Encoding',
    "\r\n",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\n",
    "Content-Length: 2\r\n",
    "Transfer-Encoding: chunked\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "\0",
    "\xff",
  );
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 60 }), fc.array(fc.nat(400), { maxLength: 6 }), (parts, cuts) => {
      const testCase = { name: "", input: parts.join(""), want: [], finish: true };
      const whole = transcript(testCase, [Buffer.from(testCase.input, "latin1")], true);
      assert.deepEqual(transcript(testCase, split(testCase.input, cuts), true), whole);
    }),
    { numRuns: 1500 },
  );
});

test("a reader pauses between pipelined requests and keeps what it was given", () => {
  const reader = createRequestReader();
  const input = Buffer.from("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  reader.feed(input, 0, input.length);
  assert.deepEqual(
    [reader.next().kind, reader.next().kind, reader.next().kind, reader.next().kind],
    ["head", "end", "paused", "paused"],
  );
  reader.retain();
  input.fill(0);
  reader.feed(Buffer.from("GET /3"), 0, 6);
  assert.equal(reader.isMidMessage, false);
  reader.nextMessage();
  const second = reader.next();
  assert.equal(second.kind === "head" && second.head.target, "/2");
  assert.equal(reader.next().kind, "end");
  reader.nextMessage();
  assert.equal(reader.next().kind, "need-data");
  assert.equal(reader.isMidMessage, true);
});

test("after an upgrade the rest is a tunnel, once the caller says so", () => {
  const reader = createRequestReader();
  const input = Buffer.from(
    "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  );
  reader.feed(input, 0, input.length);
  assert.deepEqual([reader.next().kind, reader.next().kind, reader.next().kind], ["head", "end", "paused"]);
  reader.startTunnel();
  const event = reader.next();
  assert.equal(
    event.kind === "body" && event.buffer.toString("latin1", event.start, event.end),
    "GET /smuggled HTTP/1.1\r\n\r\n",
  );
  assert.equal(reader.next().kind, "need-data");
  reader.finish();
  assert.deepEqual([reader.next().kind, reader.next().kind], ["end", "closed"]);
});

test("the case of names is kept when asked for, and lookups still work", () => {
  const reader = createRequestReader({ preserveCase: true });
  const input = Buffer.from("GET / HTTP/1.1\r\nX-Mixed: 1\r\nContent-LENGTH: 1\r\n\r\n");
  reader.feed(input, 0, input.length);
  const event = reader.next();
  assert.ok(event.kind === "head");
  assert.equal(event.head.headers.get("x-mixed"), "1");
  assert.equal(event.head.framing, "length");
  assert.match(event.head.headers.encode(), /^X-Mixed: 1\r\nContent-LENGTH: 1\r\n$/);
});
