/**
 * The proxy_protocol listener filter: reads the PROXY header (version 1 or 2) that a load balancer puts before the connection, and takes
 * addresses from it. A connection without one is refused, unless the filter allows it.
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
import { isIP } from "node:net";
import type { Clock } from "@argyle/core";
import { decodeProxyHeader } from "@argyle/pod-network";
import type { AcceptedConnection } from "../listener.ts";

interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

export type ProxyProtocolReading =
  | { readonly kind: "need-more" }
  | { readonly kind: "absent" }
  | { readonly kind: "invalid" }
  /** `addresses` is undefined for LOCAL and UNKNOWN: the connection's own count. */
  | {
      readonly kind: "header";
      readonly length: number;
      readonly addresses: { readonly source: Endpoint; readonly destination: Endpoint } | undefined;
    };

const V1_PREFIX = Buffer.from("PROXY ");
const V2_PREFIX = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const MAX_V1_BYTES = 107;
const NEED_MORE: ProxyProtocolReading = { kind: "need-more" };
const INVALID: ProxyProtocolReading = { kind: "invalid" };

export function readProxyProtocol(bytes: Buffer): ProxyProtocolReading {
  if (bytes.length === 0) return NEED_MORE;
  if (agrees(bytes, V2_PREFIX)) return bytes.length < V2_PREFIX.length ? NEED_MORE : readVersion2(bytes);
  if (agrees(bytes, V1_PREFIX)) return bytes.length < V1_PREFIX.length ? NEED_MORE : readVersion1(bytes);
  return { kind: "absent" };
}

/** Both are the same as far as both go. */
function agrees(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return bytes.subarray(0, length).equals(prefix.subarray(0, length));
}

function readVersion2(bytes: Buffer): ProxyProtocolReading {
  const decoded = decodeProxyHeader(bytes, 0, bytes.length);
  if (decoded.kind === "need-more") return NEED_MORE;
  if (decoded.kind === "invalid") return INVALID;
  const { header, length } = decoded;
  const { source, destination } = header.command === "PROXY" ? header : {};
  return {
    kind: "header",
    length,
    addresses: source === undefined || destination === undefined ? undefined : { source, destination },
  };
}

function readVersion1(bytes: Buffer): ProxyProtocolReading {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf("\r\n");
  if (end === -1) return bytes.length >= MAX_V1_BYTES ? INVALID : NEED_MORE;
  const [, family, sourceIp = "", destinationIp = "", sourcePort = "", destinationPort = "", ...more] = bytes
    .toString("latin1", 0, end)
    .split(" ");
  const length = end + 2;
  if (family === "UNKNOWN") return { kind: "header", length, addresses: undefined };
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
  const source = endpoint(sourceIp, sourcePort, version);
  const destination = endpoint(destinationIp, destinationPort, version);
  if (source === undefined || destination === undefined || more.length > 0) return INVALID;
  return { kind: "header", length, addresses: { source, destination } };
}

function endpoint(ip: string, port: string, version: number): Endpoint | undefined {
  if (version === 0 || isIP(ip) !== version || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) return undefined;
  return { ip, port: Number(port) };
}

const TIMEOUT_MS = 15_000;

/** Undefined when the connection must be closed. The socket is left paused, without listeners of ours. */
export function takeProxyHeader(
  connection: AcceptedConnection,
  allowsAbsent: boolean,
  clock: Clock,
): Promise<AcceptedConnection | undefined> {
  const { socket } = connection;
  return new Promise((resolve) => {
    let bytes = connection.peeked;
    const settle = (result: AcceptedConnection | undefined) => {
      timer.cancel();
      socket.off("data", onData);
      for (const event of ENDS) socket.off(event, onEnd);
      socket.pause();
      resolve(result);
    };
    const look = (): boolean => {
      const reading = readProxyProtocol(bytes);
      if (reading.kind === "need-more") return false;
      if (reading.kind === "invalid" || (reading.kind === "absent" && !allowsAbsent)) settle(undefined);
      else if (reading.kind === "absent") settle({ ...connection, peeked: bytes });
      else settle(withAddresses(connection, reading, bytes.subarray(reading.length)));
      return true;
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      look();
    };
    const onEnd = () => settle(undefined);
    const timer = clock.after(TIMEOUT_MS, onEnd, { unref: true });
    if (look()) return;
    socket.on("data", onData);
    for (const event of ENDS) socket.on(event, onEnd);
    socket.resume();
  });
}

const ENDS = ["end", "close", "error"] as const;

function withAddresses(
  connection: AcceptedConnection,
  { addresses }: Extract<ProxyProtocolReading, { readonly kind: "header" }>,
  peeked: Buffer,
): AcceptedConnection {
  if (addresses === undefined) return { ...connection, peeked };
  const { source, destination } = addresses;
  return { ...connection, peeked, source, destination: { ...destination, authority: undefined } };
}
