/**
 * Turns a scanned head into the value the caller gets: one latin1 string for the whole head, and the decision how its body ends.
 * Pure. Framing rules: RFC 9112 §6.3; persistence: RFC 9112 §9.3.
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import { createReceivedHeaderBlock } from "../headers/text-header-block.ts";
import type { CodecErrorCode, Framing, RequestHead, ResponseContext, ResponseHead } from "./events.ts";
import type { FramingFields } from "./framing-fields.ts";
import type { HeadScanner } from "./head-scanner.ts";
import { latin1 } from "./latin1.ts";

export interface HeadPolicy {
  readonly transferCodings: "chunked-only" | "any";
  readonly preserveCase: boolean;
  readonly bodiless: "refuse" | "ignore";
}

export function buildRequestHead(
  scanner: HeadScanner,
  buffer: Buffer,
  origin: number,
  policy: HeadPolicy,
): RequestHead | CodecErrorCode {
  const { framing: fields, minor } = scanner;
  const text = textOf(scanner, buffer, origin);
  const headers = headersOf(scanner, text, policy);
  let framing: Framing = "none";
  if (fields.codings.length > 0) {
    if (!fields.isChunkedLast) return "invalid-transfer-encoding";
    if (policy.transferCodings === "chunked-only" && fields.codings.length > 1) return "unsupported-transfer-encoding";
    framing = "chunked";
  } else if (fields.contentLength > 0) framing = "length";
  // A body of CONNECT has no meaning (RFC 9110 §9.3.6): its bytes must be neither a body nor a next request.
  const isConnectWithBody = scanner.method === "CONNECT" && framing !== "none";
  if (isConnectWithBody && policy.bodiless === "refuse")
    return framing === "chunked" ? "unsupported-transfer-encoding" : "body-not-allowed";
  if (isConnectWithBody) framing = "none";
  const wantsUpgrade = fields.hasUpgrade && minor === 1 && fields.connectionHas("upgrade");
  return {
    kind: "request",
    method: scanner.method,
    target: text.slice(scanner.targetStart, scanner.targetEnd),
    minor,
    headers,
    framing,
    contentLength: framing === "length" ? fields.contentLength : 0,
    keepAlive: !isConnectWithBody && keepsAlive(fields, minor),
    expectContinue: fields.hasExpect && minor === 1 && headers.get("expect")?.toLowerCase() === "100-continue",
    upgrade: wantsUpgrade ? headers.combined("upgrade") : undefined,
  };
}

export function buildResponseHead(
  scanner: HeadScanner,
  buffer: Buffer,
  origin: number,
  policy: HeadPolicy,
  context: ResponseContext,
): ResponseHead | CodecErrorCode {
  const { framing: fields, minor, status } = scanner;
  const text = textOf(scanner, buffer, origin);
  if (policy.transferCodings === "chunked-only" && fields.codings.length > 0 && fields.codings.join() !== "chunked")
    return "unsupported-transfer-encoding";
  // RFC 9112 §6.1: a server never frames these; whoever does may mean another message than we would read.
  if (policy.bodiless === "refuse" && (status < 200 || status === 204)) {
    if (fields.codings.length > 0 || fields.contentLength > 0) return "body-not-allowed";
    // RFC 9110 §7.8: 101 names the protocol, and only who asked for one may be switched.
    if (status === 101 && (context.wantsUpgrade === false || !fields.hasUpgrade)) return "unwanted-upgrade";
  }
  const framing = responseFraming(fields, status, context.method);
  return {
    kind: "response",
    status,
    reason: text.slice(scanner.reasonStart, scanner.reasonEnd),
    minor,
    headers: headersOf(scanner, text, policy),
    framing,
    contentLength: framing === "length" ? fields.contentLength : 0,
    keepAlive: framing !== "until-close" && framing !== "tunnel" && keepsAlive(fields, minor),
  };
}

export function headersOf(scanner: HeadScanner, text: string, policy: HeadPolicy): HeaderBlock {
  return createReceivedHeaderBlock(text, scanner.fields, scanner.fieldsEnd, !policy.preserveCase);
}

/** The head's text from its first byte up to the empty line. */
export function textOf(scanner: HeadScanner, buffer: Buffer, origin: number): string {
  return latin1(buffer, origin, origin + scanner.fieldsEnd);
}

function responseFraming(fields: FramingFields, status: number, method: string): Framing {
  if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) return "tunnel";
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return "none";
  if (fields.codings.length > 0) return fields.isChunkedLast ? "chunked" : "until-close";
  if (fields.contentLength < 0) return "until-close";
  return fields.contentLength === 0 ? "none" : "length";
}

/** HTTP/1.0 with a transfer coding is never kept (RFC 9112 §6.1: the sender's idea of the framing is in doubt). */
function keepsAlive(fields: FramingFields, minor: 0 | 1): boolean {
  if (fields.closesByProxyConnection) return false;
  if (minor === 1) return fields.connection === "" || !fields.connectionHas("close");
  return fields.connectionHas("keep-alive") && !fields.connectionHas("close") && fields.codings.length === 0;
}
