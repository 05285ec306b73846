/**
 * Extended CONNECT (RFC 8441) and the HTTP/1 upgrade say the same in two ways. Inside the proxy an upgrade is always HTTP/1's, as in Envoy
 * (https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/http/upgrades): these are the two translations at its HTTP/2 borders.
 */
import type { Http2RequestHead, RequestHead, ResponseHead } from "@argyle/codec";

/** CONNECT, or the upgrade that an extended CONNECT means: no body, and a tunnel once it is accepted. Its headers are changed in place. */
export function asTunnelRequest(head: Http2RequestHead): RequestHead {
  const { headers, protocol } = head;
  if (protocol === undefined) return { ...head, framing: "none", contentLength: 0 };
  headers.set("connection", "upgrade");
  headers.set("upgrade", protocol);
  return { ...head, method: "GET", framing: "none", contentLength: 0, upgrade: protocol };
}

/** The 101 that a 2xx to an extended CONNECT means. */
export function asSwitching(head: ResponseHead, protocol: string): ResponseHead {
  const { headers } = head;
  headers.remove("content-length");
  headers.set("connection", "upgrade");
  headers.set("upgrade", protocol);
  return { ...head, status: 101, headers, framing: "tunnel", contentLength: 0 };
}
