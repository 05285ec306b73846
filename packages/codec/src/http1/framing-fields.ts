/**
 * The few fields that decide where a message ends, watched while a head is scanned, so that a contradiction is refused at the line
 * that makes it. Strict (RFC 9112 §6.1, §6.3): one Content-Length of digits only, never together with Transfer-Encoding, one Host.
 */
import { hasToken } from "../headers/hop-by-hop.ts";
import { SPACE, TAB } from "./chars.ts";
import type { CodecErrorCode } from "./events.ts";
import { latin1 } from "./latin1.ts";

const HOST = bytesOf("host");
const EXPECT = bytesOf("expect");
const UPGRADE = bytesOf("upgrade");
const CONNECTION = bytesOf("connection");
const CONTENT_LENGTH = bytesOf("content-length");
const PROXY_CONNECTION = bytesOf("proxy-connection");
const TRANSFER_ENCODING = bytesOf("transfer-encoding");
const KEEP_ALIVE = bytesOf("keep-alive");
const ZERO = 0x30;
const MAX_CODINGS = 8;

export class FramingFields {
  /** -1: there is none. */
  contentLength = -1;
  /** All codings in order, lower case; empty: there is no Transfer-Encoding. */
  codings: string[] = [];
  hasHost = false;
  hasExpect = false;
  hasUpgrade = false;
  connection = "";
  /** The old way to say `connection: close` to a proxy, which Envoy honours. */
  closesByProxyConnection = false;

  clear(): void {
    this.contentLength = -1;
    if (this.codings.length > 0) this.codings = [];
    this.hasHost = false;
    this.hasExpect = false;
    this.hasUpgrade = false;
    this.connection = "";
    this.closesByProxyConnection = false;
  }

  /** Takes note of one field; returns what it breaks. */
  read(
    buffer: Buffer,
    name: number,
    nameLength: number,
    valueStart: number,
    valueEnd: number,
  ): CodecErrorCode | undefined {
    switch (nameLength) {
      case HOST.length:
        if (!isName(buffer, name, HOST)) return undefined;
        if (this.hasHost) return "invalid-host";
        this.hasHost = true;
        return undefined;
      case EXPECT.length:
        if (isName(buffer, name, EXPECT)) this.hasExpect = true;
        return undefined;
      case UPGRADE.length:
        if (isName(buffer, name, UPGRADE)) this.hasUpgrade = true;
        return undefined;
      case CONNECTION.length:
        if (!isName(buffer, name, CONNECTION)) return undefined;
        // hot: nearly every Connection field is this one, and needs no text of its own.
        if (this.connection === "" && isText(buffer, valueStart, valueEnd, KEEP_ALIVE)) this.connection = "keep-alive";
        else
          this.connection += `${this.connection === "" ? "" : ","}${latin1(buffer, valueStart, valueEnd).toLowerCase()}`;
        return undefined;
      case CONTENT_LENGTH.length:
        return isName(buffer, name, CONTENT_LENGTH) ? this.readLength(buffer, valueStart, valueEnd) : undefined;
      case PROXY_CONNECTION.length:
        if (isName(buffer, name, PROXY_CONNECTION))
          this.closesByProxyConnection = latin1(buffer, valueStart, valueEnd).toLowerCase() === "close";
        return undefined;
      case TRANSFER_ENCODING.length:
        return isName(buffer, name, TRANSFER_ENCODING) ? this.readCodings(buffer, valueStart, valueEnd) : undefined;
      default:
        return undefined;
    }
  }

  /** Trailers must not frame: a peer that merges them into the head would see another message (RFC 9110 §6.5.1). */
  static isForbiddenInTrailers(buffer: Buffer, name: number, nameLength: number): boolean {
    if (nameLength === CONTENT_LENGTH.length) return isName(buffer, name, CONTENT_LENGTH);
    return nameLength === TRANSFER_ENCODING.length && isName(buffer, name, TRANSFER_ENCODING);
  }

  /** Chunked as the last coding is the only way in which it ends a body. */
  get isChunkedLast(): boolean {
    return this.codings.at(-1) === "chunked";
  }

  /** True when Connection lists the token. */
  connectionHas(token: string): boolean {
    const { connection } = this;
    return connection === token || (connection !== "keep-alive" && hasToken(connection, token));
  }

  private readLength(buffer: Buffer, start: number, end: number): CodecErrorCode | undefined {
    if (this.codings.length > 0) return "length-and-transfer-encoding";
    if (this.contentLength >= 0 || start === end) return "invalid-content-length";
    // Allowed as white space, but not every parser drops it, and the line may go on as it came.
    for (let at = end; buffer[at] === SPACE || buffer[at] === TAB; at += 1)
      if (buffer[at] === TAB) return "invalid-content-length";
    let length = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (buffer[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return "invalid-content-length";
      length = length * 10 + digit;
      if (length > Number.MAX_SAFE_INTEGER) return "invalid-content-length";
    }
    this.contentLength = length;
    return undefined;
  }

  private readCodings(buffer: Buffer, start: number, end: number): CodecErrorCode | undefined {
    if (this.contentLength >= 0) return "length-and-transfer-encoding";
    for (const part of latin1(buffer, start, end).toLowerCase().split(",")) {
      const coding = part.replace(/^[ \t]+|[ \t]+$/g, "");
      if (coding === "" || this.codings.length === MAX_CODINGS) return "invalid-transfer-encoding";
      if (coding === "chunked" && this.codings.includes("chunked")) return "invalid-transfer-encoding";
      this.codings.push(coding);
    }
    return undefined;
  }
}

/** Compares without case: the bytes may be as sent when the case is kept. `expected` is letters and "-" only. */
function isName(buffer: Buffer, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i += 1) {
    const byte = buffer[start + i] ?? 0;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== expected[i]) return false;
  }
  return true;
}

function isText(buffer: Buffer, start: number, end: number, expected: Uint8Array): boolean {
  return end - start === expected.length && isName(buffer, start, expected);
}

function bytesOf(name: string): Uint8Array {
  return Buffer.from(name, "latin1");
}
