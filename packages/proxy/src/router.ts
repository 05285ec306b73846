/**
 * Picks virtual host, route and cluster of a request. Pure: no I/O, randomness is passed in.
 * Host search order: exact, longest suffix wildcard (`*.foo.com`), longest prefix wildcard (`foo.*`), `*`; the first route that matches wins.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto#config-route-v3-virtualhost
 */
import type { RequestView } from "./config/header-matcher.ts";
import { headerReader } from "./config/header-matcher.ts";
import { type ClusterTarget, rewritePrefix, type WeightedCluster } from "./config/route-action.ts";
import type { RedirectAction, Route, RouteTable, VirtualHost } from "./config/route-config.ts";

export function findVirtualHost(table: RouteTable, authority: string): VirtualHost | undefined {
  if (table.exact.size === 0 && table.suffixes.length === 0 && table.prefixes.length === 0) return table.fallback;
  // hot: callers ask for the same host again and again; comparing two texts is cheaper than hashing one (bench dataplane).
  const { lastFound } = table;
  if (lastFound.authority === authority) return lastFound.virtualHost;
  const virtualHost = searchVirtualHost(table, authority);
  lastFound.authority = authority;
  lastFound.virtualHost = virtualHost;
  return virtualHost;
}

function searchVirtualHost(table: RouteTable, authority: string): VirtualHost | undefined {
  let host = LOWER.test(authority) ? authority.toLowerCase() : authority;
  if (table.ignorePort) host = host.replace(/:\d+$/, "");
  const exact = table.exact.get(host);
  if (exact !== undefined) return exact;
  for (const { text, virtualHost } of table.suffixes) {
    if (host.length > text.length && host.endsWith(text)) return virtualHost;
  }
  for (const { text, virtualHost } of table.prefixes) {
    if (host.length > text.length && host.startsWith(text)) return virtualHost;
  }
  return table.fallback;
}

const LOWER = /[A-Z]/;

export function findRoute(host: VirtualHost, request: RequestView, random: number): Route | undefined {
  const pathname = pathnameOf(request.path);
  for (const route of host.routes) {
    if (route.match.matches(request, pathname, random)) return route;
  }
  return undefined;
}

export interface ClusterChoice {
  readonly name: string;
  readonly weighted: WeightedCluster | undefined;
}

export function pickCluster(target: ClusterTarget, request: RequestView, random: number): ClusterChoice {
  switch (target.kind) {
    case "cluster":
      return { name: target.name, weighted: undefined };
    case "header":
      return { name: headerReader(target.header)(request) ?? "", weighted: undefined };
    case "weighted": {
      let point = random % target.total;
      for (const weighted of target.clusters) {
        if (point < weighted.weight) {
          const name = weighted.name === "" ? (headerReader(weighted.header)(request) ?? "") : weighted.name;
          return { name, weighted };
        }
        point -= weighted.weight;
      }
      return { name: "", weighted: undefined };
    }
  }
}

export function redirectLocation(action: RedirectAction, request: RequestView, route: Route): string {
  const scheme = action.httpsRedirect ? "https" : action.scheme === "" ? request.scheme : action.scheme;
  let host = action.host === "" ? request.authority : action.host;
  if (action.port !== 0) host = `${host.replace(/:\d+$/, "")}:${action.port}`;
  else if (action.host === "" && scheme !== request.scheme) {
    // Envoy drops the default port of the old scheme.
    if (request.scheme === "http" && host.endsWith(":80")) host = host.slice(0, -3);
    if (request.scheme === "https" && host.endsWith(":443")) host = host.slice(0, -4);
  }
  const mark = request.path.indexOf("?");
  const query = mark === -1 ? "" : request.path.slice(mark);
  let path = request.path;
  if (action.path !== "")
    path = action.path.includes("?") ? action.path : action.path + (action.stripQuery ? "" : query);
  else {
    if (action.prefixRewrite !== "") path = rewritePrefix(request.path, route.match.path, action.prefixRewrite);
    else if (action.regexRewrite !== undefined) path = action.regexRewrite(pathnameOf(request.path)) + query;
    if (action.stripQuery) path = pathnameOf(path);
  }
  return `${scheme}://${host}${path}`;
}

/** True when the virtual host wants TLS and the request came without; the answer is then a 301 to https. */
export function needsTlsRedirect(host: VirtualHost, request: RequestView, isInternal: boolean): boolean {
  if (host.requireTls === "NONE" || request.scheme === "https") return false;
  return host.requireTls === "ALL" || !isInternal;
}

export function pathnameOf(path: string): string {
  const mark = path.indexOf("?");
  const hash = path.indexOf("#");
  const end = mark === -1 ? hash : hash === -1 ? mark : Math.min(mark, hash);
  return end === -1 ? path : path.slice(0, end);
}
