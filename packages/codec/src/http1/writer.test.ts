import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createHeaderBlock } from "../headers/text-header-block.ts";
import type { Framing, OutgoingRequest, OutgoingResponse } from "./events.ts";
import { createRequestReader } from "./reader.ts";
import { createHttp1Writer } from "./writer.ts";

const request = (
  framing: Framing,
  fields: readonly [string, string][] = [],
  contentLength?: number,
): OutgoingRequest => ({
  kind: "request",
  method: "POST",
  target: "/x",
  headers: createHeaderBlock(fields),
  framing,
  ...(contentLength === undefined ? {} : { contentLength }),
});
type ResponseChange = Partial<Omit<OutgoingResponse, "headers" | "kind">>;
const response = (change: ResponseChange, fields: readonly [string, string][] = []): OutgoingResponse => ({
  kind: "response",
  status: 200,
  framing: "none",
  ...change,
  headers: createHeaderBlock(fields),
});

const cases: readonly {
  name: string;
  head: OutgoingRequest | OutgoingResponse;
  body?: string;
  want: string;
  mustClose?: boolean;
}[] = [
  {
    name: "a request without a body says so where a body is usual",
    head: request("none", [["host", "a"]]),
    want: "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "an upgrade has no length",
    head: request("none", [["upgrade", "x"]]),
    want: "POST /x HTTP/1.1\r\nupgrade: x\r\n\r\n",
  },
  {
    name: "a request without a body",
    head: { ...request("none", [["host", "a"]]), method: "DELETE" },
    want: "DELETE /x HTTP/1.1\r\nhost: a\r\n\r\n",
  },
  {
    name: "a request by length",
    head: request("length", [], 2),
    body: "hi",
    want: "POST /x HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
  },
  {
    name: "a wrong length in the headers is put right",
    head: request("length", [["content-length", "9"]], 2),
    body: "hi",
    want: "POST /x HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
  },
  {
    name: "a length is not sent with chunked",
    head: request("chunked", [["content-length", "2"]]),
    body: "hi",
    want: "POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  },
  {
    name: "codings in the headers are kept",
    head: request("chunked", [["transfer-encoding", "gzip, chunked"]]),
    body: "hi",
    want: "POST /x HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  },
  {
    name: "a length of 0 says so",
    head: response({ framing: "length", contentLength: 0 }),
    want: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "a response to HEAD keeps its length and has no body",
    head: response({ requestMethod: "HEAD" }, [["content-length", "9"]]),
    body: "hi",
    want: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
  },
  {
    name: "204 announces nothing",
    head: response({ status: 204 }, [["content-length", "0"]]),
    want: "HTTP/1.1 204 No Content\r\n\r\n",
  },
  {
    name: "304 may tell the length",
    head: response({ status: 304 }, [["content-length", "7"]]),
    want: "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
  },
  {
    name: "until close says so",
    head: response({ framing: "until-close" }, [["content-length", "7"]]),
    body: "hi",
    want: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi",
    mustClose: true,
  },
  {
    name: "nothing is chunked towards HTTP/1.0",
    head: response({ framing: "chunked", requestMinor: 0 }, [["transfer-encoding", "chunked"]]),
    body: "hi",
    want: "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nhi",
    mustClose: true,
  },
  {
    name: "keep-alive is said aloud towards HTTP/1.0",
    head: response({ framing: "length", contentLength: 2, requestMinor: 0 }),
    body: "hi",
    want: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nhi",
  },
  {
    name: "close is added once",
    head: response({ close: true, framing: "length", contentLength: 0 }, [["connection", "close"]]),
    want: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    mustClose: true,
  },
  {
    name: "a reason of its own",
    head: response({ status: 299, reason: "Fine", framing: "length", contentLength: 0 }),
    want: "HTTP/1.1 299 Fine\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "101 is a tunnel",
    head: response({ status: 101, framing: "tunnel" }, [
      ["connection", "upgrade"],
      ["upgrade", "websocket"],
    ]),
    want: "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    mustClose: true,
  },
];
for (const { name, head, body = "", want, mustClose = false } of cases) {
  test(`writes ${name}`, () => {
    const bytes = Buffer.from(body);
    const asText = createHttp1Writer();
    const copy = { ...head, headers: head.headers.clone() };
    assert.equal(asText.head(copy) + asText.bodyText(bytes, 0, bytes.length) + asText.end(), want);
    assert.equal(asText.mustClose, mustClose);
    const asBuffers = createHttp1Writer();
    const written = asBuffers.head(head) + asBuffers.body(bytes, 0, bytes.length).toString("latin1") + asBuffers.end();
    assert.equal(written, want);
  });
}

test("a response that has no body says so, or its reader would wait for the end of the connection", () => {
  assert.equal(
    createHttp1Writer().head(response({ status: 404 })),
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  );
});

test("a start line cannot be split by what is put into it", () => {
  const writer = createHttp1Writer();
  for (const target of ["/a b", "/a\r\nX: y", "/\u{10a}", ""])
    assert.throws(() => writer.head({ ...request("none"), target }), { code: "codec.http1.invalid-request-line" });
  assert.throws(() => writer.head(response({ reason: "a\r\nb" })), { code: "codec.http1.invalid-reason" });
  assert.throws(() => writer.head(request("until-close")), { code: "codec.http1.endless-request" });
});

test("an interim response is complete with its head", () => {
  const writer = createHttp1Writer();
  assert.equal(writer.head(response({ status: 100 })), "HTTP/1.1 100 Continue\r\n\r\n");
  assert.match(writer.head(response({ framing: "length", contentLength: 0 })), /^HTTP\/1.1 200 OK/);
});

test("a tunnel passes bytes unframed", () => {
  const writer = createHttp1Writer();
  writer.head(response({ status: 101, framing: "tunnel" }));
  assert.equal(writer.body(Buffer.from("abc"), 0, 3).toString(), "abc");
});

test("trailers come after the last chunk, without those that frame or route", () => {
  const writer = createHttp1Writer();
  writer.head(request("chunked"));
  const trailers = createHeaderBlock([
    ["grpc-status", "0"],
    ["content-length", "7"],
    ["host", "evil"],
  ]);
  assert.equal(writer.end(trailers), "0\r\ngrpc-status: 0\r\n\r\n");
});

test("more or fewer bytes than announced are refused", () => {
  const long = createHttp1Writer();
  long.head(request("length", [], 2));
  assert.throws(() => long.body(Buffer.from("abc"), 0, 3), { code: "codec.http1.long-body" });
  const none = createHttp1Writer();
  none.head(request("none"));
  assert.throws(() => none.bodyText(Buffer.from("a"), 0, 1), { code: "codec.http1.long-body" });
  const short = createHttp1Writer();
  short.head(request("length", [], 2));
  short.body(Buffer.from("a"), 0, 1);
  assert.throws(() => short.end(), { code: "codec.http1.short-body" });
  assert.equal(short.mustClose, true);
  const open = createHttp1Writer();
  open.head(request("length", [], 2));
  assert.throws(() => open.head(request("none")), { code: "codec.http1.open-message" });
});

test("what is written is read again", () => {
  const token = fc
    .stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
    .filter((name) => !/^(host|content-length|transfer-encoding|connection|upgrade|expect)$/.test(name));
  const value = fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(token, value), { maxLength: 8 }),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 })),
      fc.boolean(),
      (fields, chunks, isChunked) => {
        const body = Buffer.concat(chunks);
        const writer = createHttp1Writer();
        const framing = isChunked ? "chunked" : body.length === 0 ? "none" : "length";
        const head = { ...request(framing, fields, body.length) };
        let wire = writer.head(head);
        for (const chunk of chunks) wire += writer.bodyText(Buffer.from(chunk), 0, chunk.length);
        wire += writer.end();
        const bytes = Buffer.from(wire, "latin1");
        const reader = createRequestReader();
        reader.feed(bytes, 0, bytes.length);
        const read: Buffer[] = [];
        const names: [string, string][] = [];
        for (let event = reader.next(); event.kind !== "end"; event = reader.next()) {
          assert.notEqual(event.kind, "error");
          if (event.kind === "body") read.push(event.buffer.subarray(event.start, event.end));
          if (event.kind === "head")
            event.head.headers.forEach((name, text) => {
              if (name !== "content-length" && name !== "transfer-encoding") names.push([name, text]);
            });
        }
        assert.deepEqual(Buffer.concat(read), body);
        assert.deepEqual(names, fields);
      },
    ),
    { numRuns: 300 },
  );
});
