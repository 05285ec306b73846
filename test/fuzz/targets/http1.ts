/**
 * HTTP/1: nothing but codec errors, any split gives the same events, and no smuggling: each message that we accept is the same one to Node's
 * parser, and what our writer forwards is read again, by us and by Node's parser, as the one same message.
 */
import {
  createHttp1Writer,
  createRequestReader,
  createResponseReader,
  ENVOY_READER_OPTIONS,
  removeConnectionFields,
  removeHopByHop,
} from "@argyle/codec";
import { NODE_METHODS, type NodeMessage, parseWithNode } from "../node-parser.ts";
import { same, type Target, Violation } from "../target.ts";
import { type Reading, type ReadMessage, readConnection } from "./http1-reading.ts";

type Kind = "request" | "response";

function read(kind: Kind, pieces: readonly Buffer[]): Reading {
  if (kind === "request") {
    const reader = createRequestReader(ENVOY_READER_OPTIONS);
    return readConnection(pieces, reader, () => reader.nextMessage());
  }
  const reader = createResponseReader(ENVOY_READER_OPTIONS);
  reader.nextMessage({ method: "GET" });
  return readConnection(pieces, reader, undefined);
}

function check(kind: Kind, input: Buffer, pieces: readonly Buffer[]): void {
  const whole = read(kind, [input]);
  same("another split gives other events", read(kind, pieces).events, whole.events);
  same(
    "byte by byte gives other events",
    read(
      kind,
      [...input].map((byte) => Buffer.of(byte)),
    ).events,
    whole.events,
  );
  agreesWithNode(input, kind, whole.messages);
  for (const message of whole.messages) if (message.isComplete) forwards(kind, message);
}

/** Where Node stops on purpose (upgrades, CONNECT, methods it does not know) there is nothing to compare. */
function isComparable({ head }: ReadMessage): boolean {
  if (head.headers.has("upgrade") || head.framing === "tunnel") return false;
  return head.kind === "response" || (NODE_METHODS.has(head.method) && head.method !== "CONNECT");
}

function agreesWithNode(bytes: Buffer, kind: Kind, messages: readonly ReadMessage[]): void {
  const theirs = parseWithNode(bytes, kind).messages.filter(
    ({ status }) => status === 0 || status >= 200 || status === 101,
  );
  for (const [index, message] of messages.entries()) {
    if (!message.isComplete || !isComparable(message) || message.head.framing === "until-close") return;
    const other = theirs[index];
    if (other === undefined)
      throw new Violation(`accepted, but not by Node's parser\n${message.head.headers.encode()}`);
    sameAsNode(message, other);
  }
}

function sameAsNode({ head, body }: ReadMessage, other: NodeMessage): void {
  if (head.kind === "request") {
    same("Node reads another method", other.method, head.method);
    same("Node reads another target", other.target, head.target);
  } else same("Node reads another status", other.status, head.status);
  if (other.isComplete) same("Node reads another body", other.body, body);
  else throw new Violation("Node does not see the end of the message");
}

/** Writes the message as the proxy would and reads it back, followed by one that must stay the next one. */
function forwards(kind: Kind, message: ReadMessage): void {
  const { head, body, trailers } = message;
  if (head.framing === "tunnel" || (head.kind === "request" && head.method === "CONNECT")) return;
  const headers = head.headers.clone();
  if (kind === "response") removeConnectionFields(headers);
  else if (!removeHopByHop(headers)) return;
  const writer = createHttp1Writer();
  const framing = head.framing === "until-close" ? "chunked" : head.framing;
  const { contentLength } = head;
  let text =
    head.kind === "request"
      ? writer.head({ kind: "request", method: head.method, target: head.target, headers, framing, contentLength })
      : writer.head({ kind: "response", status: head.status, headers, framing, contentLength });
  const bytes = Buffer.from(body, "latin1");
  if (bytes.length > 0) text += writer.bodyText(bytes, 0, bytes.length);
  text += writer.end(trailers);
  const next = kind === "request" ? "GET /next HTTP/1.1\r\nhost: a\r\n\r\n" : "";
  const sent = Buffer.from(text + next, "latin1");
  const again = read(kind, [sent]).messages;
  same("what was forwarded is not one message", again.length, kind === "request" ? 2 : 1);
  same("what was forwarded has another body", again[0]?.body, body);
  const start = ({ head: h }: ReadMessage) => (h.kind === "request" ? `${h.method} ${h.target}` : `${h.status}`);
  same("what was forwarded begins differently", again[0] === undefined ? "" : start(again[0]), start(message));
  agreesWithNode(sent, kind, again);
}

export const HTTP1_TARGETS: readonly Target[] = [
  {
    name: "http1-request",
    dictionary: [
      ...[
        "GET / HTTP/1.1\r\n",
        "POST /x HTTP/1.1\r\n",
        "Host: a\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "0\r\n\r\n",
        "5\r\nhello\r\n",
      ],
      ...[
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Connection: x-a, keep-alive\r\n",
      ],
      ...[
        "X-A: 1\r\n",
        " folded\r\n",
        "\t",
        ": ",
        ";a=b",
        ';a="\\""',
        "http://h/",
        "HTTP/1.0",
        "CONNECT h:1 HTTP/1.1\r\n",
        "Upgrade: x\r\n",
      ],
      ...[
        "Expect: 100-continue\r\n",
        "chunked",
        "identity",
        ", ",
        "+5",
        "0x5",
        "00",
        "\0",
        "\xff",
        "te: trailers\r\n",
        "trailer: x\r\n",
      ],
    ],
    check: (input, cut) => check("request", input, cut(input)),
  },
  {
    name: "http1-response",
    dictionary: [
      ...[
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 304 X\r\n",
      ],
      ...[
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "\r\n",
        "\r\n\r\n",
        "hello",
        "0\r\n\r\n",
      ],
      ...[
        "5\r\nhello\r\n",
        "X-A: 1\r\n",
        "101 Switching",
        "HTTP/1.1 103 Early Hints\r\n",
        "\n",
        "\r",
        "\0",
        "\xff",
        " ",
        "999",
      ],
    ],
    check: (input, cut) => check("response", input, cut(input)),
  },
];
