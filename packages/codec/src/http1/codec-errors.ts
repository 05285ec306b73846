/** The text, status and Envoy details of each way a peer can break HTTP/1. One table, so that the proxy never invents a status. */
import type { CodecError, CodecErrorCode } from "./events.ts";

interface ErrorRow {
  readonly message: string;
  readonly status?: 426 | 431 | 501;
  readonly details?: string;
}

const ROWS: Readonly<Record<CodecErrorCode, ErrorRow>> = {
  "invalid-method": { message: "the method is not known" },
  "invalid-target": { message: "the request target is not valid" },
  "invalid-version": { message: "the version is not HTTP/1.0 or HTTP/1.1" },
  "unsupported-version": { message: "the version of HTTP is not 1.0 or 1.1", status: 426, details: "low_version" },
  "invalid-status": { message: "the status code is not three digits of 100 to 999" },
  "invalid-start-line": { message: "the start line is malformed" },
  "invalid-header-name": { message: "a header name holds a character that is not allowed" },
  "invalid-header-value": { message: "a header value holds a character that is not allowed" },
  "invalid-line-end": { message: "a line does not end with CR LF" },
  "folded-header": { message: "a header is folded over several lines" },
  "head-too-large": { message: "the head is too large", status: 431, details: "http1.headers_too_large" },
  "too-many-headers": { message: "there are too many headers", status: 431, details: "http1.too_many_headers" },
  "invalid-host": { message: "there is more than one Host header" },
  "body-not-allowed": { message: "a message that has no body announces one", details: "http1.body_disallowed" },
  "unwanted-upgrade": { message: "101 names no protocol, or the request asked for no upgrade" },
  "invalid-content-length": { message: "Content-Length is not one decimal number" },
  "invalid-transfer-encoding": {
    message: "the transfer codings are not chunked alone or chunked last",
    status: 501,
    details: "http1.invalid_transfer_encoding",
  },
  "unsupported-transfer-encoding": {
    message: "only the transfer coding chunked is supported",
    status: 501,
    details: "http1.invalid_transfer_encoding",
  },
  "length-and-transfer-encoding": {
    message: "Content-Length and Transfer-Encoding are both present",
    details: "http1.content_length_and_chunked_not_allowed",
  },
  "invalid-chunk-size": { message: "a chunk size is not a hexadecimal number" },
  "invalid-chunk-extension": { message: "a chunk extension is malformed" },
  "invalid-chunk-end": { message: "a chunk is not followed by CR LF" },
  "data-after-close": { message: "bytes follow a message that closes the connection" },
  "unexpected-response": { message: "bytes arrived that no request asked for" },
  "cut-message": { message: "the connection ended within a message" },
};

export function codecError(code: CodecErrorCode): CodecError {
  const row = ROWS[code];
  return { code, status: row.status ?? 400, details: row.details ?? "http1.codec_error", message: row.message };
}
