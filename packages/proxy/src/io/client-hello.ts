/**
 * What tls_inspector reads from the first bytes of a connection: is it a TLS ClientHello, for which server name, with which ALPN protocols.
 * Pure; call again with more bytes after need-more. RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301.
 */
export type ClientHello =
  | { readonly kind: "hello"; readonly serverName: string; readonly alpn: readonly string[] }
  | { readonly kind: "need-more" }
  | { readonly kind: "not-tls" };

const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
const MAX_HELLO_BYTES = 16 * 1024;
const NOT_TLS: ClientHello = { kind: "not-tls" };
const NEED_MORE: ClientHello = { kind: "need-more" };

export function parseClientHello(bytes: Buffer): ClientHello {
  if (bytes.length === 0) return NEED_MORE;
  if (bytes[0] !== HANDSHAKE) return NOT_TLS;
  if (bytes.length >= 2 && bytes[1] !== 3) return NOT_TLS;
  if (bytes.length < 5) return NEED_MORE;
  // The handshake message may be cut into several records.
  const parts: Buffer[] = [];
  let at = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let gathered = 0;
  while (gathered < wanted) {
    if (bytes.length < at + 5) return NEED_MORE;
    if (bytes[at] !== HANDSHAKE) return NOT_TLS;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_HELLO_BYTES + 2048) return NOT_TLS;
    if (bytes.length < at + 5 + length) return NEED_MORE;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    gathered += length;
    at += 5 + length;
    if (wanted === Number.POSITIVE_INFINITY && gathered >= 4) {
      const first = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      if (first === undefined || first[0] !== CLIENT_HELLO) return NOT_TLS;
      wanted = 4 + first.readUIntBE(1, 3);
      if (wanted > MAX_HELLO_BYTES) return NOT_TLS;
    }
  }
  return parseBody(Buffer.concat(parts).subarray(4, wanted));
}

function parseBody(body: Buffer): ClientHello {
  try {
    let at = 2 + 32;
    at += 1 + body.readUInt8(at);
    at += 2 + body.readUInt16BE(at);
    at += 1 + body.readUInt8(at);
    if (at >= body.length) return { kind: "hello", serverName: "", alpn: [] };
    const end = at + 2 + body.readUInt16BE(at);
    at += 2;
    let serverName = "";
    let alpn: readonly string[] = [];
    while (at + 4 <= end) {
      const type = body.readUInt16BE(at);
      const length = body.readUInt16BE(at + 2);
      const content = body.subarray(at + 4, at + 4 + length);
      if (type === 0 && content.length > 5)
        serverName = content.subarray(5, 5 + content.readUInt16BE(3)).toString("latin1");
      if (type === 16) alpn = parseAlpn(content);
      at += 4 + length;
    }
    return { kind: "hello", serverName, alpn };
  } catch (error) {
    // A length pointed outside the message: it looked like TLS but is not a ClientHello.
    if (error instanceof RangeError) return NOT_TLS;
    throw error;
  }
}

function parseAlpn(content: Buffer): readonly string[] {
  const names: string[] = [];
  for (let at = 2; at < content.length; ) {
    const length = content.readUInt8(at);
    names.push(content.subarray(at + 1, at + 1 + length).toString("latin1"));
    at += 1 + length;
  }
  return names;
}
