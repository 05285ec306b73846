/**
 * What binds a request to a host of a RING_HASH or MAGLEV cluster: the route's hash policies, each hashing one thing of the request, combined
 * in their order. A policy that finds nothing to hash is passed over; without any hash every host will do.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto#config-route-v3-routeaction-hashpolicy
 */
import type { HeaderBlock } from "@argyle/codec";
import type { HashPolicy } from "../config/route-action.ts";
import { xxHash64 } from "../upstream/balancer/xx-hash.ts";

export interface HashedRequest {
  readonly headers: HeaderBlock;
  readonly path: string;
  readonly remoteIp: string;
  /** `ip:port` of both ends of the client's connection. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

export interface RequestHash {
  readonly hash: bigint | undefined;
  /** Set-Cookie of the response: a client that came without the cookie is given one. */
  readonly setCookie: string | undefined;
}

export function requestHash(policies: readonly HashPolicy[], request: HashedRequest): RequestHash {
  let hash: bigint | undefined;
  let setCookie: string | undefined;
  for (const policy of policies) {
    let text = textOf(policy, request);
    if (text === undefined && policy.kind === "cookie" && policy.ttlMs !== undefined) {
      // The same for every request of one connection: streams that race get the same cookie.
      text = xxHash64(request.remoteAddress + request.localAddress).toString(16);
      setCookie = cookieText(policy, text, policy.ttlMs);
    }
    if (text !== undefined) {
      const own = typeof text === "string" ? xxHash64(text) : chained(text);
      hash = hash === undefined ? own : (BigInt.asUintN(64, hash << 1n) | (hash >> 63n)) ^ own;
    }
    if (policy.terminal && hash !== undefined) break;
  }
  return { hash, setCookie };
}

function textOf(policy: HashPolicy, request: HashedRequest): string | readonly string[] | undefined {
  switch (policy.kind) {
    case "header": {
      const values = request.headers.getAll(policy.name).map(policy.rewrite);
      // Their order says nothing.
      return values.length > 1 ? [...values].sort() : values[0];
    }
    case "cookie":
      return cookieValue(request.headers, policy.name);
    case "source-ip":
      return request.remoteIp;
    case "query":
      return queryValue(request.path, policy.name);
  }
}

function chained(values: readonly string[]): bigint {
  let seed = 0n;
  for (const value of values) seed = xxHash64(value, seed);
  return seed;
}

function cookieText(policy: { readonly name: string; readonly path: string }, value: string, ttlMs: number): string {
  const age = Math.floor(ttlMs / 1000);
  return `${policy.name}="${value}"${age > 0 ? `; Max-Age=${age}` : ""}${policy.path === "" ? "" : `; Path=${policy.path}`}; HttpOnly`;
}

/** RFC 6265 §4.2.1; an empty value counts as none. */
function cookieValue(headers: HeaderBlock, name: string): string | undefined {
  for (const line of headers.getAll("cookie")) {
    for (const pair of line.split(";")) {
      const equals = pair.indexOf("=");
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      const bare = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
      return bare === "" ? undefined : bare;
    }
  }
  return undefined;
}

/** The first value as it was sent: Envoy does not decode it before it hashes. */
function queryValue(path: string, name: string): string | undefined {
  const mark = path.indexOf("?");
  if (mark === -1) return undefined;
  for (const pair of path.slice(mark + 1).split("&")) {
    const equals = pair.indexOf("=");
    const key = equals === -1 ? pair : pair.slice(0, equals);
    if (key === name) return equals === -1 ? "" : pair.slice(equals + 1);
  }
  return undefined;
}
