/** What a route does to the headers on the way up and down. Called once per request; nothing here allocates when the route asks for nothing. */
import { type HeaderBlock, type ResponseHead, removeHopByHop } from "@argyle/codec";
import { applyHeaderMutation, type HeaderMutation } from "../config/header-mutation.ts";
import type { RouteAction } from "../config/route-action.ts";
import { addCorsHeaders } from "../filters/cors.ts";
import { httpDate } from "./http-date.ts";
import type { HttpStream } from "./stream.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

export function rewriteRequest(stream: HttpStream, action: RouteAction): void {
  const { state } = stream;
  const { headers } = state;
  const rewriteHost = (host: string) => {
    if (host === "" || host === state.authority) return;
    if (action.appendXForwardedHost) headers.add("x-forwarded-host", state.authority);
    state.authority = host;
    headers.set("host", host);
  };
  const weightedHost = stream.choice?.weighted?.hostRewrite ?? "";
  const { hostRewrite } = action;
  if (weightedHost !== "") rewriteHost(weightedHost);
  else if (hostRewrite !== undefined) {
    switch (hostRewrite.kind) {
      case "literal":
        rewriteHost(hostRewrite.host);
        break;
      case "header":
        rewriteHost(headers.get(hostRewrite.header) ?? "");
        break;
      case "path":
        rewriteHost(hostRewrite.rewrite(state.path));
        break;
      case "auto":
        break;
    }
  }
  if (action.pathRewrite === undefined) return;
  const rewritten = action.pathRewrite(state.path);
  if (rewritten === state.path) return;
  state.originalPath = state.path;
  if (!stream.context.suppressEnvoyHeaders) headers.set("x-envoy-original-path", state.path);
  state.path = rewritten;
}

export function applyRequestMutations(stream: HttpStream): void {
  const { state } = stream;
  const target = {
    headers: state.headers,
    setAuthority: (value: string) => {
      state.authority = value;
      state.headers.set("host", value);
    },
  };
  for (const mutation of inOrder(stream, "requestHeaders")) applyHeaderMutation(mutation, target, state);
}

export function applyResponseMutations(stream: HttpStream, headers: HeaderBlock): void {
  const target = { headers };
  for (const mutation of inOrder(stream, "responseHeaders")) applyHeaderMutation(mutation, target, stream.state);
}

const NONE: readonly HeaderMutation[] = [];

function inOrder(stream: HttpStream, kind: "requestHeaders" | "responseHeaders"): readonly HeaderMutation[] {
  const { route, virtualHost, table, choice } = stream;
  const weighted = choice?.weighted?.[kind];
  const fromRoute = route?.[kind];
  const fromHost = virtualHost?.[kind];
  const fromTable = table?.[kind];
  if (weighted === undefined && fromRoute === undefined && fromHost === undefined && fromTable === undefined)
    return NONE;
  const list = [weighted, fromRoute, fromHost, fromTable].filter((mutation) => mutation !== undefined);
  return table?.mostSpecificMutationsWin === true ? list.reverse() : list;
}

/** The headers that every response gets from the connection manager and the router. */
export function finalizeResponse(
  stream: HttpStream,
  headers: HeaderBlock,
  head?: ResponseHead,
  attempt?: UpstreamRequest,
): void {
  const { context, state } = stream;
  const { config } = context;
  if (head !== undefined && attempt !== undefined) {
    const upgrade = head.status === 101 ? headers.get("upgrade") : undefined;
    removeHopByHop(headers);
    if (upgrade !== undefined) {
      headers.set("connection", "upgrade");
      headers.set("upgrade", upgrade);
    }
    if (!context.suppressEnvoyHeaders)
      headers.set("x-envoy-upstream-service-time", String(Math.floor(stream.lastActivity - attempt.startedAt)));
    if (stream.virtualHost?.includeAttemptCountInResponse === true)
      headers.set("x-envoy-attempt-count", String(state.upstreamRequestAttemptCount));
  }
  const cors = stream.filters?.cors;
  if (cors !== undefined) addCorsHeaders(cors.config, cors.origin, headers);
  if (!headers.has("date")) headers.set("date", httpDate(context.clock.now()));
  if (config.serverHeader === "OVERWRITE" || (config.serverHeader === "APPEND_IF_ABSENT" && !headers.has("server")))
    headers.set("server", config.serverName);
  if (config.requestIdInResponse) {
    const id = state.headers.get("x-request-id");
    if (id !== undefined) headers.set("x-request-id", id);
  }
  if (config.via !== "") headers.add("via", config.via);
}
