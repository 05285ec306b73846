/**
 * What the forward proxy changes in a message, and what it refuses. Pure. Source: RFC 9110 §7.6.1 (hop-by-hop fields), RFC 9112 §3.2.2 and
 * §3.2.3 (absolute-form, authority-form), RFC 9209 (Proxy-Status). The Host field is left as it was sent, against §3.2.2: without us the program would
 * have sent it straight to the sidecar, and `curl -H 'Host: x' http://gateway/` has to mean the same.
 */

import { describeError, err, errnoOf, MeshError, ok, type Result } from "@argyle/core";
import { dialErrno } from "@argyle/pod-network";

export interface ProxyDestination {
  readonly host: string;
  readonly port: number;
}

/** An answer of the proxy's own. `error` is a Proxy-Status error type. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly message: string;
}

/** `http://host[:port]/path`: where to and what to ask there. */
export function parseAbsoluteForm(target: string): Result<ProxyDestination & { readonly path: string }, string> {
  const match = /^http:\/\/([^/?#]*)([^#]*)$/i.exec(target);
  if (match === null) {
    return err(
      target.startsWith("/")
        ? "this is a forward proxy: ask for http://host/path, or set http_proxy"
        : `only http:// is forwarded, everything else is tunnelled by CONNECT: ${target}`,
    );
  }
  const destination = parseAuthority(match[1] ?? "", 80);
  if (!destination.ok) return destination;
  const rest = match[2] ?? "";
  return ok({ ...destination.value, path: rest.startsWith("/") ? rest : `/${rest}` });
}

/** `host:port`, `[IPv6]:port`; user and password are refused. */
export function parseAuthority(text: string, defaultPort?: number): Result<ProxyDestination, string> {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return err(`not a host and port: ${text}`);
  return ok({ host, port });
}

/** The pod's address and token of `Basic base64(user:password)`. */
export function parseCredentials(
  field: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(field ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const [user, password, ...more] = Buffer.from(encoded, "base64").toString("latin1").split(":");
  return user === undefined || password === undefined || more.length > 0 ? undefined : { user, password };
}

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Name, value, name, value …, as Node's rawHeaders; order, case and repetitions stay. */
export function endToEndHeaders(rawHeaders: readonly string[]): string[] {
  const named = new Set(
    pairs(rawHeaders)
      .filter(([name]) => name.toLowerCase() === "connection")
      .flatMap(([, value]) => value.split(",").map((token) => token.trim().toLowerCase())),
  );
  return pairs(rawHeaders).flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    return HOP_BY_HOP.has(lower) || named.has(lower) ? [] : [name, value];
  });
}

export function pairs(rawHeaders: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) list.push([rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""]);
  return list;
}

/** What a failed dial, or a connection that broke before the answer, means to the client. */
export function refusalOf(thrown: unknown, { host, port }: ProxyDestination): Refusal {
  const to = `${host}:${port}`;
  if (thrown instanceof MeshError && thrown.code === "kube-proxy.refused")
    return { status: 502, error: "destination_not_found", message: `cannot reach ${to}: ${thrown.message}` };
  if (thrown instanceof MeshError && thrown.code === "kube-proxy.no-endpoint")
    return { status: 503, error: "destination_unavailable", message: `cannot reach ${to}: no ready endpoint` };
  if (thrown instanceof MeshError && thrown.code === "kube-proxy.no-sidecar")
    return { status: 503, error: "destination_unavailable", message: `cannot reach ${to}: ${thrown.message}` };
  switch (dialErrno(thrown) ?? errnoOf(thrown)) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { status: 502, error: "dns_error", message: `could not resolve host: ${host}` };
    case "ECONNREFUSED":
      return { status: 502, error: "connection_refused", message: `connection refused: ${to}` };
    case "ETIMEDOUT":
      return { status: 504, error: "connection_timeout", message: `connection timed out: ${to}` };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return { status: 502, error: "destination_ip_unroutable", message: `no route to ${to}` };
    case "ECONNRESET":
    case "EPIPE":
      return {
        status: 502,
        error: "connection_terminated",
        message: `the connection to ${to} was closed before an answer: refused by the mesh, or the host is unknown`,
      };
  }
  return { status: 502, error: "proxy_internal_error", message: `cannot reach ${to}: ${describeError(thrown)}` };
}

/** Field, body and reason phrase of a refusal: python and wget show only the reason of a refused CONNECT. */
export function refusalMessage({ status, error, message }: Refusal) {
  const plain = message.replace(/[^\x20-\x7e]/g, "?");
  const headers: Record<string, string> = {
    "Content-Type": "text/plain",
    "Proxy-Status": `argyle; error=${error}; details="${plain.replace(/["\\]/g, "\\$&")}"`,
  };
  if (status === 407) headers["Proxy-Authenticate"] = 'Basic realm="argyle pod network"';
  return { status, reason: plain, headers, body: `argyle: ${message}\n` };
}
