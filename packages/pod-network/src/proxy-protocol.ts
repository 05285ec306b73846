/**
 * PROXY protocol v2, the header that opens every connection into in.sock and out.sock. Pure: bytes in, values out.
 * Layout (haproxy's doc/proxy-protocol.txt §2.2): 12 bytes signature, version and command, family, length (16 bit), addresses, TLVs.
 * Only TCP over IPv4 and IPv6 and LOCAL: a UDP or unix header is refused, for nobody of ours sends one.
 */
import { isIPv4, isIPv6 } from "node:net";
import { bytesOfIPv6, textOfIPv6 } from "./ip-address.ts";

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

export interface Tlv {
  readonly type: number;
  readonly value: Uint8Array;
}

export type ProxyHeader =
  | { readonly command: "LOCAL"; readonly tlvs: readonly Tlv[] }
  | {
      readonly command: "PROXY";
      readonly family: "TCP4" | "TCP6";
      readonly source: Endpoint;
      readonly destination: Endpoint;
      readonly tlvs: readonly Tlv[];
    };

/** need-more: at least `missing` more bytes. header: `length` bytes of the input were the header, payload follows. */
export type ProxyDecoding =
  | { readonly kind: "need-more"; readonly missing: number }
  | { readonly kind: "header"; readonly header: ProxyHeader; readonly length: number }
  | { readonly kind: "invalid"; readonly reason: string };

/** The name that the program asked for. */
export const PP2_TYPE_AUTHORITY = 0x02;
/** A header of ours is far below; a peer that announces more is refused before its bytes are waited for. */
export const MAX_PROXY_HEADER_BYTES = 4096;

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const FIXED_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

export function encodeProxyHeader(header: ProxyHeader): Buffer {
  const addresses = header.command === "LOCAL" ? Buffer.alloc(0) : encodeAddresses(header);
  const tlvs = header.tlvs.map(({ type, value }) => {
    const head = Buffer.from([type, value.length >> 8, value.length & 0xff]);
    return Buffer.concat([head, value]);
  });
  const fixed = Buffer.alloc(FIXED_BYTES);
  SIGNATURE.copy(fixed);
  fixed[12] = header.command === "LOCAL" ? LOCAL : PROXY;
  fixed[13] = header.command === "LOCAL" ? 0 : header.family === "TCP4" ? TCP4 : TCP6;
  const bytes = Buffer.concat([fixed, addresses, ...tlvs]);
  bytes.writeUInt16BE(bytes.length - FIXED_BYTES, 14);
  return bytes;
}

/** Decodes from [start, end). Pure: call it again with more bytes after need-more. Wrong bytes are refused as soon as they show. */
export function decodeProxyHeader(buffer: Buffer, start = 0, end = buffer.length): ProxyDecoding {
  const available = end - start;
  for (let i = 0; i < Math.min(available, SIGNATURE.length); i += 1) {
    if (buffer[start + i] !== SIGNATURE[i]) return invalid("not a PROXY protocol v2 signature");
  }
  const command = buffer[start + 12];
  if (available > 12 && command !== LOCAL && command !== PROXY) return invalid("unknown version or command");
  if (available < FIXED_BYTES) return { kind: "need-more", missing: FIXED_BYTES - available };
  const length = FIXED_BYTES + buffer.readUInt16BE(start + 14);
  if (length > MAX_PROXY_HEADER_BYTES) return invalid("the header is too long");
  if (available < length) return { kind: "need-more", missing: length - available };

  const body = buffer.subarray(start + FIXED_BYTES, start + length);
  const family = buffer[start + 13];
  if (command === LOCAL) {
    // The receiver must ignore whatever addresses a LOCAL header has.
    const skipped = family === TCP4 ? 12 : family === TCP6 ? 36 : 0;
    const tlvs = decodeTlvs(body.subarray(Math.min(skipped, body.length)));
    return tlvs === undefined
      ? invalid("a TLV is cut")
      : { kind: "header", header: { command: "LOCAL", tlvs }, length };
  }
  if (family !== TCP4 && family !== TCP6) return invalid("only TCP over IPv4 and IPv6 is supported");
  const addressBytes = family === TCP4 ? 4 : 16;
  if (body.length < addressBytes * 2 + 4) return invalid("the addresses are cut");
  const tlvs = decodeTlvs(body.subarray(addressBytes * 2 + 4));
  if (tlvs === undefined) return invalid("a TLV is cut");
  const textOf = (at: number) =>
    family === TCP4 ? body.subarray(at, at + 4).join(".") : textOfIPv6(body.subarray(at, at + 16));
  const header: ProxyHeader = {
    command: "PROXY",
    family: family === TCP4 ? "TCP4" : "TCP6",
    source: { ip: textOf(0), port: body.readUInt16BE(addressBytes * 2) },
    destination: { ip: textOf(addressBytes), port: body.readUInt16BE(addressBytes * 2 + 2) },
    tlvs,
  };
  return { kind: "header", header, length };
}

/** A PROXY header for these endpoints; IPv4 is mapped into IPv6 where the families differ. */
export function proxyHeader(source: Endpoint, destination: Endpoint, tlvs: readonly Tlv[]): ProxyHeader {
  const family = isIPv4(source.ip) && isIPv4(destination.ip) ? "TCP4" : "TCP6";
  return { command: "PROXY", family, source, destination, tlvs };
}

export function authorityTlv(name: string): Tlv {
  return { type: PP2_TYPE_AUTHORITY, value: Buffer.from(name, "utf8") };
}

/** The name asked for (PP2_TYPE_AUTHORITY), or undefined. */
export function authorityOf(header: ProxyHeader): string | undefined {
  const tlv = header.tlvs.find(({ type }) => type === PP2_TYPE_AUTHORITY);
  return tlv === undefined ? undefined : Buffer.from(tlv.value).toString("utf8");
}

function encodeAddresses(header: Extract<ProxyHeader, { command: "PROXY" }>): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(header.source.port, 0);
  ports.writeUInt16BE(header.destination.port, 2);
  const bytesOf = header.family === "TCP4" ? bytesOfIPv4 : bytesOfAnyIP;
  return Buffer.concat([bytesOf(header.source.ip), bytesOf(header.destination.ip), ports]);
}

function bytesOfIPv4(ip: string): Uint8Array {
  if (!isIPv4(ip)) throw new TypeError(`not an IPv4 address: ${ip}`);
  return Uint8Array.from(ip.split("."), Number);
}

function bytesOfAnyIP(ip: string): Uint8Array {
  if (isIPv4(ip)) return bytesOfIPv6(`::ffff:${ip}`);
  if (!isIPv6(ip)) throw new TypeError(`not an IP address: ${ip}`);
  return bytesOfIPv6(ip);
}

function decodeTlvs(bytes: Buffer): readonly Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 3 > bytes.length) return undefined;
    const length = bytes.readUInt16BE(at + 1);
    const next = at + 3 + length;
    if (next > bytes.length) return undefined;
    tlvs.push({ type: bytes[at] ?? 0, value: Uint8Array.from(bytes.subarray(at + 3, next)) });
    at = next;
  }
  return tlvs;
}

function invalid(reason: string): ProxyDecoding {
  return { kind: "invalid", reason };
}
