/**
 * Turns an assembled block into the head its caller gets, or says what is wrong with it. Pure.
 * Requests: RFC 9113 §8.3.1, extended CONNECT RFC 8441 §4; responses: §8.3.2.
 */

import { createEntry, FieldRole } from "../hpack/header-entry.ts";
import type { Framing } from "../http1/events.ts";
import { EntryHeaderBlock } from "./entry-header-block.ts";
import type { Http2RequestHead, Http2ResponseHead } from "./events.ts";
import type { HeadAssembler, HeadProblem } from "./head-assembler.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
/** As in HTTP/1, but without user information. */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+$/;
const PATH = /^\/[\x21-\x7e]*$/;
const REQUEST_PSEUDO =
  (1 << FieldRole.method) |
  (1 << FieldRole.scheme) |
  (1 << FieldRole.authority) |
  (1 << FieldRole.path) |
  (1 << FieldRole.protocol);
const SCHEME_AND_PATH = (1 << FieldRole.scheme) | (1 << FieldRole.path);

export function buildRequestHead(
  block: HeadAssembler,
  isEnd: boolean,
  allowsExtendedConnect: boolean,
): Http2RequestHead | HeadProblem {
  if (block.problem !== undefined) return block.problem;
  const { method } = block;
  if ((block.pseudo & ~REQUEST_PSEUDO) !== 0) return "invalid-pseudo";
  if (!block.hasPseudo(FieldRole.method)) return "missing-pseudo";
  if (method !== "GET" && method !== "POST" && !TOKEN.test(method)) return "invalid-pseudo";
  const isExtended = block.hasPseudo(FieldRole.protocol);
  if (isExtended && (!allowsExtendedConnect || method !== "CONNECT" || !TOKEN.test(block.protocol ?? "")))
    return "invalid-pseudo";
  const isConnect = method === "CONNECT";
  if (isConnect && !isExtended) {
    if ((block.pseudo & SCHEME_AND_PATH) !== 0) return "invalid-pseudo";
    if (block.authority === "") return "missing-pseudo";
  } else {
    if ((block.pseudo & SCHEME_AND_PATH) !== SCHEME_AND_PATH) return "missing-pseudo";
    if (!SCHEME.test(block.scheme)) return "invalid-pseudo";
    if (!PATH.test(block.path) && !(block.path === "*" && method === "OPTIONS")) return "invalid-path";
  }
  const authority = block.authority !== "" ? block.authority : (block.host ?? "");
  if (authority !== "" && !AUTHORITY.test(authority)) return "invalid-authority";
  if (block.host !== undefined && block.host.toLowerCase() !== authority.toLowerCase()) return "invalid-authority";
  block.end();
  const { entries, contentLength } = block;
  if (block.host === undefined && authority !== "") entries.push(createEntry("host", authority));
  const framing: Framing = isConnect && !isEnd ? "tunnel" : framingOf(contentLength, isEnd);
  return {
    kind: "request",
    method,
    target: isConnect && !isExtended ? authority : block.path,
    minor: 1,
    headers: new EntryHeaderBlock(entries),
    framing,
    contentLength: framing === "length" ? contentLength : 0,
    keepAlive: true,
    expectContinue: block.expectsContinue,
    upgrade: block.protocol,
    scheme: block.scheme.toLowerCase(),
    authority,
    protocol: block.protocol,
  };
}

export function buildResponseHead(
  block: HeadAssembler,
  isEnd: boolean,
  requestMethod: string,
): Http2ResponseHead | HeadProblem {
  if (block.problem !== undefined) return block.problem;
  if (block.pseudo !== 1 << FieldRole.status) return block.pseudo === 0 ? "missing-pseudo" : "invalid-pseudo";
  if (!/^[1-9][0-9][0-9]$/.test(block.status)) return "invalid-pseudo";
  const status = Number(block.status);
  // 101 does not exist here (RFC 9113 §8.6); an interim response never ends a stream.
  if (status === 101 || (status < 200 && isEnd)) return "invalid-pseudo";
  const isTunnel = requestMethod === "CONNECT" && status >= 200 && status < 300;
  const hasNoBody = requestMethod === "HEAD" || status < 200 || status === 204 || status === 304;
  const framing: Framing = isTunnel && !isEnd ? "tunnel" : framingOf(block.contentLength, isEnd || hasNoBody);
  block.end();
  return {
    kind: "response",
    status,
    reason: "",
    minor: 1,
    headers: new EntryHeaderBlock(block.entries),
    framing,
    contentLength: framing === "length" ? block.contentLength : 0,
    keepAlive: true,
  };
}

/** Trailers: ordinary fields only, and none that frames (RFC 9113 §8.1, RFC 9110 §6.5.1). */
export function buildTrailers(block: HeadAssembler): EntryHeaderBlock | HeadProblem {
  if (block.problem !== undefined) return block.problem;
  if (block.pseudo !== 0) return "invalid-pseudo";
  if (block.contentLength >= 0) return "invalid-content-length";
  block.end();
  return new EntryHeaderBlock(block.entries);
}

function framingOf(contentLength: number, hasNoBody: boolean): Framing {
  if (hasNoBody || contentLength === 0) return "none";
  return contentLength > 0 ? "length" : "chunked";
}
