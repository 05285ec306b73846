/**
 * Writes HTTP/1 messages. The head and a small body are one latin1 string, because one write per message is what costs least;
 * larger pieces are copied once, together with their chunk framing, since the caller's read buffer is reused at once.
 * Invariant: what goes out always has exactly one framing (RFC 9112 §6), and never more or fewer body bytes than announced.
 */
import { MeshError } from "@argyle/core";
import type { HeaderBlock } from "../headers/header-block.ts";
import { hasToken } from "../headers/hop-by-hop.ts";
import type { Framing, Http1Writer, OutgoingRequest, OutgoingResponse } from "./events.ts";
import { latin1 } from "./latin1.ts";
import { reasonPhrase } from "./status.ts";

export function createHttp1Writer(): Http1Writer {
  return new MessageWriter();
}

const EMPTY = Buffer.alloc(0);
const VALID_REQUEST_LINE = /^[\x21-\x7e]+$/;
const VALID_REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Methods whose requests usually have no body: for the others its absence is said aloud (RFC 9110 §8.6). */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);
const LAST_CHUNK = "0\r\n\r\n";
/** Fields that decide framing or routing have no meaning in trailers and could be merged by a careless peer (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(
  "content-length transfer-encoding host connection keep-alive te trailer upgrade authorization content-encoding content-type content-range".split(
    " ",
  ),
);

class MessageWriter implements Http1Writer {
  private framing: Framing = "none";
  private remaining = 0;
  private isBodyHidden = false;
  private isOpen = false;
  private closes = false;

  get mustClose(): boolean {
    return this.closes;
  }

  head(head: OutgoingRequest | OutgoingResponse): string {
    if (this.isOpen) throw writerError("codec.http1.open-message", "a head was written before the last message ended");
    const { headers } = head;
    const isInterim = head.kind === "response" && head.status < 200 && head.status !== 101;
    this.framing = head.framing;
    this.remaining = head.framing === "length" ? (head.contentLength ?? 0) : 0;
    this.isBodyHidden = false;
    let firstLine: string;
    let added: string;
    if (head.kind === "request") {
      if ((head.method !== "GET" && !VALID_REQUEST_LINE.test(head.method)) || !VALID_REQUEST_LINE.test(head.target))
        throw writerError(
          "codec.http1.invalid-request-line",
          "the method or the target holds blanks or control characters",
        );
      if (head.framing === "until-close")
        throw writerError("codec.http1.endless-request", "a request cannot end with its connection");
      firstLine = `${head.method} ${head.target} HTTP/1.1\r\n`;
      added = framingLines(
        headers,
        head.framing,
        this.remaining,
        BODILESS.has(head.method) ? "request" : "request-with-body",
      );
    } else {
      const { status, requestMethod } = head;
      const hasNoBody = status < 200 || status === 204 || status === 304;
      this.isBodyHidden = head.framing !== "tunnel" && (requestMethod === "HEAD" || hasNoBody);
      if (head.requestMinor === 0 && head.framing === "chunked") this.framing = "until-close";
      const reason = head.reason ?? reasonPhrase(status);
      if (head.reason !== undefined && !VALID_REASON.test(reason))
        throw writerError("codec.http1.invalid-reason", "the reason holds control characters");
      firstLine = `HTTP/1.${head.requestMinor ?? 1} ${status} ${reason}\r\n`;
      if (hasNoBody || (requestMethod === "CONNECT" && status < 300)) added = withoutFraming(headers, status);
      else added = framingLines(headers, this.framing, this.remaining, requestMethod === "HEAD" ? "head" : "response");
      if (this.isBodyHidden) this.framing = "none";
    }
    this.closes = head.close === true || this.framing === "until-close" || this.framing === "tunnel";
    added += this.connectionLine(head);
    this.isOpen = !isInterim;
    return `${firstLine}${headers.encode()}${added}\r\n`;
  }

  bodyText(buffer: Buffer, start: number, end: number): string {
    if (!this.accept(end - start)) return "";
    const text = latin1(buffer, start, end);
    return this.framing === "chunked" ? `${(end - start).toString(16)}\r\n${text}\r\n` : text;
  }

  body(buffer: Buffer, start: number, end: number): Buffer {
    const size = end - start;
    if (!this.accept(size)) return EMPTY;
    if (this.framing !== "chunked") return Buffer.from(buffer.subarray(start, end));
    const line = `${size.toString(16)}\r\n`;
    const framed = Buffer.allocUnsafe(line.length + size + 2);
    framed.write(line, 0, "latin1");
    buffer.copy(framed, line.length, start, end);
    framed.write("\r\n", line.length + size, "latin1");
    return framed;
  }

  end(trailers?: HeaderBlock): string {
    if (!this.isOpen) throw writerError("codec.http1.no-message", "the end of a message was written without a head");
    this.isOpen = false;
    if (this.framing === "length" && this.remaining > 0) {
      this.closes = true;
      throw writerError("codec.http1.short-body", `${this.remaining} announced bytes of the body are missing`);
    }
    if (this.framing !== "chunked") return "";
    if (trailers === undefined || trailers.size === 0) return LAST_CHUNK;
    const sent = trailers.clone();
    sent.removeWhere((name) => NOT_IN_TRAILERS.has(name));
    return `0\r\n${sent.encode()}\r\n`;
  }

  /** Books `size` bytes of body; false when nothing is to be sent for them. */
  private accept(size: number): boolean {
    if (!this.isOpen) throw writerError("codec.http1.no-message", "a body was written without a head");
    if (size === 0 || this.isBodyHidden) return false;
    if (this.framing === "none" || (this.framing === "length" && size > this.remaining))
      throw writerError("codec.http1.long-body", "the body has more bytes than announced");
    if (this.framing === "length") this.remaining -= size;
    return true;
  }

  private connectionLine(head: OutgoingRequest | OutgoingResponse): string {
    if (this.framing === "tunnel") return "";
    if (this.closes) {
      if (hasToken(head.headers.combined("connection"), "close")) return "";
      return "connection: close\r\n";
    }
    const isOldPeer = head.kind === "response" && head.requestMinor === 0;
    return isOldPeer && !head.headers.has("connection") ? "connection: keep-alive\r\n" : "";
  }
}

/** The field that announces the body, unless the headers have it; the other one is removed. */
function framingLines(
  headers: HeaderBlock,
  framing: Framing,
  contentLength: number,
  role: "request" | "request-with-body" | "response" | "head",
): string {
  switch (framing) {
    case "chunked":
      headers.remove("content-length");
      return headers.has("transfer-encoding") ? "" : "transfer-encoding: chunked\r\n";
    case "length":
      headers.remove("transfer-encoding");
      if (headers.get("content-length") === String(contentLength)) return "";
      headers.remove("content-length");
      return `content-length: ${contentLength}\r\n`;
    case "none":
      headers.remove("transfer-encoding");
      // A response to HEAD tells how the body would come; nobody said its length.
      if (role === "head") return headers.has("content-length") ? "" : "transfer-encoding: chunked\r\n";
      if (headers.get("content-length") === "0") return "";
      // Without it a response would last until the connection closes.
      if (headers.remove("content-length") || role === "response") return "content-length: 0\r\n";
      return role === "request-with-body" && !headers.has("upgrade") ? "content-length: 0\r\n" : "";
    case "until-close":
      headers.remove("content-length");
      headers.remove("transfer-encoding");
      return "";
    case "tunnel":
      headers.remove("transfer-encoding");
      return "";
  }
}

/** 1xx, 204 and CONNECT's 2xx announce no body (RFC 9110 §8.6); 304 may tell the length of what it did not send. */
function withoutFraming(headers: HeaderBlock, status: number): string {
  headers.remove("transfer-encoding");
  if (status !== 304) headers.remove("content-length");
  return "";
}

function writerError(code: string, message: string): MeshError {
  return new MeshError(message, { code });
}
