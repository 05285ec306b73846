/** What http_inspector reads from the first bytes: an HTTP/1 request line, the HTTP/2 preface, or something else. Pure. */
export type HttpSniff = "http/1.0" | "http/1.1" | "h2c" | "other" | "need-more";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MAX_LINE = 64 * 1024;

/** Only whether it is HTTP/2's preface. */
export function sniffPreface(bytes: Buffer): "h2c" | "other" | "need-more" {
  // hot: once per connection, and no other method begins so.
  if (bytes.length > 1 && bytes[1] !== PREFACE.charCodeAt(1)) return "other";
  const start = bytes.subarray(0, PREFACE.length).toString("latin1");
  if (!PREFACE.startsWith(start)) return "other";
  return start.length === PREFACE.length ? "h2c" : "need-more";
}

export function sniffHttp(bytes: Buffer): HttpSniff {
  const preface = sniffPreface(bytes);
  if (preface !== "other") return preface;
  let line = bytes.indexOf(0x0a);
  // A client may send one empty line before the request line (RFC 9112 §2.2).
  const from = bytes[0] === 0x0d || bytes[0] === 0x0a ? line + 1 : 0;
  if (from > 0) line = bytes.indexOf(0x0a, from);
  const text = bytes.subarray(from, Math.min(line === -1 ? bytes.length : line, from + MAX_LINE)).toString("latin1");
  if (line === -1) {
    if (bytes.length > MAX_LINE) return "other";
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{0,32}( [^ \0-\x1f]*( [HTP/.01]{0,8}\r?)?)?$/.test(text) ? "need-more" : "other";
  }
  const match = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [^ \0-\x1f]+ HTTP\/1\.([01])\r?$/.exec(text);
  if (match === null) return "other";
  return match[1] === "0" ? "http/1.0" : "http/1.1";
}
