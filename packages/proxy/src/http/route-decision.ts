/** From the route table to what is done with a request: answered here, or sent to a cluster. */
import type { RouteAction } from "../config/route-action.ts";
import type { LocalReply } from "../local-reply.ts";
import { LOCAL_REPLY } from "../local-reply.ts";
import { findRoute, findVirtualHost, needsTlsRedirect, redirectLocation } from "../router.ts";
import type { HttpStream } from "./stream.ts";

/** Looks the route up once, before the filters, which may have their own configuration there. */
export function resolveRoute(stream: HttpStream): void {
  const { state, context, snapshot } = stream;
  const { routes } = context.config;
  const table = routes.kind === "inline" ? routes.table : snapshot.routes.get(routes.name);
  if (table === undefined) return;
  stream.table = table;
  const virtualHost = findVirtualHost(table, state.authority);
  stream.virtualHost = virtualHost;
  if (virtualHost !== undefined) stream.route = findRoute(virtualHost, state, stream.random);
}

export function allowsUpgrade(stream: HttpStream, type: string): boolean {
  const name = type.toLowerCase();
  const own = stream.route?.action.kind === "route" ? stream.route.action.upgrades.get(name) : undefined;
  return own ?? stream.context.config.upgrades.get(name) ?? false;
}

export type RouteDecision = RouteAction | { readonly kind: "reply"; readonly reply: LocalReply };

export function decideRoute(stream: HttpStream): RouteDecision {
  const { virtualHost, route, state } = stream;
  if (virtualHost !== undefined && needsTlsRedirect(virtualHost, state, state.isInternal))
    return redirect(301, `https://${state.authority}${state.path}`);
  if (virtualHost === undefined || route === undefined) return { kind: "reply", reply: LOCAL_REPLY.routeNotFound };
  state.routeName = route.name === "" ? undefined : route.name;
  const { action } = route;
  switch (action.kind) {
    case "redirect":
      return redirect(action.code, redirectLocation(action, state, route));
    case "direct": {
      const { status, body, bodyFormat } = action;
      const text = bodyFormat === undefined ? body : bodyFormat(state);
      return { kind: "reply", reply: { status, body: text, flag: undefined, details: "direct_response" } };
    }
    case "route":
      return action;
  }
}

function redirect(status: number, location: string): RouteDecision {
  const headers = [["location", location]] as const;
  return { kind: "reply", reply: { status, body: "", flag: undefined, details: "direct_response", headers } };
}
