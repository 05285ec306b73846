/**
 * RDS of gateways: `http.<port>` for the plain HTTP servers of a port, `https.<…>` for each HTTPS server.
 * A virtual host is named `<host>:<server port>`, as EnvoyFilters expect (`*:80`); a port without any gets `blackhole:<port>`.
 */
import type { EnvoyMessage } from "../model/json.ts";
import type { TranslateContext } from "./context.ts";
import { gatewayPorts, type MergedServer, virtualServicesOf } from "./gateway-server.ts";
import { virtualServiceRoutes } from "./http-route.ts";

interface HostDraft {
  readonly name: string;
  readonly domain: string;
  readonly routes: EnvoyMessage[];
  requiresTls: boolean;
}

export function gatewayRoute(context: TranslateContext, routeName: string): EnvoyMessage | undefined {
  const ports = gatewayPorts(context);
  for (const { port, servers } of ports) {
    const own = servers.filter(
      (server) => server.routeName === routeName && (server.kind === "http" || server.kind === "https"),
    );
    if (own.length === 0) continue;
    const hosts = virtualHosts(context, own);
    return {
      name: routeName,
      virtual_hosts:
        hosts.length > 0 ? hosts : [{ name: `blackhole:${port}`, domains: ["*"], include_request_attempt_count: true }],
      validate_clusters: false,
      ignore_port_in_host_matching: true,
      max_direct_response_body_size_bytes: 1_048_576,
    };
  }
  return undefined;
}

export function gatewayRouteNames(context: TranslateContext): readonly string[] {
  const names = gatewayPorts(context).flatMap(({ servers }) =>
    servers.filter(({ kind }) => kind === "http" || kind === "https").map((server) => server.routeName),
  );
  return [...new Set(names)];
}

function virtualHosts(context: TranslateContext, servers: readonly MergedServer[]): readonly EnvoyMessage[] {
  const drafts = new Map<string, HostDraft>();
  const routesOf = new Map<string, readonly EnvoyMessage[]>();
  for (const merged of servers) {
    const { server, gatewayName } = merged;
    const number = server.port.number;
    // A redirect to HTTPS only makes sense where the connection is not encrypted yet.
    const redirects = server.tls?.httpsRedirect === true && merged.kind === "http";
    for (const { vs, hosts } of virtualServicesOf(context, merged)) {
      const cacheKey = `${vs.namespace}/${vs.name}|${number}|${gatewayName}`;
      const routes =
        routesOf.get(cacheKey) ??
        virtualServiceRoutes(vs, {
          context,
          port: number,
          gateways: new Set([gatewayName]),
          isTls: merged.kind === "https",
        });
      routesOf.set(cacheKey, routes);
      if (routes.length === 0 && !redirects) continue;
      for (const host of hosts) {
        const held = drafts.get(host);
        if (held === undefined) {
          drafts.set(host, { name: `${host}:${number}`, domain: host, routes: [...routes], requiresTls: redirects });
        } else {
          // Several VirtualServices of one host on a gateway are merged, the oldest first.
          held.routes.push(...routes.filter((route) => !held.routes.includes(route)));
          held.requiresTls ||= redirects;
        }
      }
    }
    if (!redirects) continue;
    for (const host of merged.hosts) {
      const held = drafts.get(host);
      if (held !== undefined) held.requiresTls = true;
      else drafts.set(host, { name: `${host}:${number}`, domain: host, routes: [], requiresTls: true });
    }
  }
  return [...drafts.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((draft) => ({
      name: draft.name,
      domains: [draft.domain],
      routes: sortCatchAllLast(draft.routes),
      require_tls: draft.requiresTls ? "ALL" : undefined,
      include_request_attempt_count: true,
    }));
}

/** Routes merged from several VirtualServices: what takes everything must not hide what stands behind it. */
function sortCatchAllLast(routes: readonly EnvoyMessage[]): readonly EnvoyMessage[] {
  const isCatchAll = (route: EnvoyMessage) => {
    const match = route.match;
    return (
      typeof match === "object" &&
      match !== null &&
      "prefix" in match &&
      match.prefix === "/" &&
      match.headers === undefined &&
      match.query_parameters === undefined
    );
  };
  const specific = routes.filter((route) => !isCatchAll(route));
  return [...specific, ...routes.filter(isCatchAll)];
}
