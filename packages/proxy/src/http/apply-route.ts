/** What a route does to the headers on the way up and down. Called once per request; nothing here allocates when the route asks for nothing. */
import { type HeaderBlock, type ResponseHead, removeHopByHop } from "@argyle/codec";
import { applyHeaderMutation, type HeaderMutation, type MutationTarget } from "../config/header-mutation.ts";
import type { RouteAction } from "../config/route-action.ts";
import { addCorsHeaders } from "../filters/cors.ts";
import { httpDate } from "./http-date.ts";
import type { HttpStream } from "./stream.ts";
import type { StreamState } from "./stream-state.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

export function rewriteRequest(stream: HttpStream, action: RouteAction): void {
  const { state } = stream;
  const weightedHost = stream.choice?.weighted?.hostRewrite ?? "";
  const { hostRewrite } = action;
  if (weightedHost !== "") rewriteHost(state, action, weightedHost);
  else if (hostRewrite !== undefined) {
    switch (hostRewrite.kind) {
      case "literal":
        rewriteHost(state, action, hostRewrite.host);
        break;
      case "header":
        rewriteHost(state, action, state.headers.get(hostRewrite.header) ?? "");
        break;
      case "path":
        rewriteHost(state, action, hostRewrite.rewrite(state.path));
        break;
      case "auto":
        break;
    }
  }
  if (action.pathRewrite === undefined) return;
  const rewritten = action.pathRewrite(state.path);
  if (rewritten === state.path) return;
  state.originalPath = state.path;
  if (!stream.context.suppressEnvoyHeaders) state.headers.set("x-envoy-original-path", state.path);
  state.path = rewritten;
}

function rewriteHost(state: StreamState, action: RouteAction, host: string): void {
  if (host === "" || host === state.authority) return;
  if (action.appendXForwardedHost) state.headers.add("x-forwarded-host", state.authority);
  state.setAuthority(host);
}

export function applyRequestMutations(stream: HttpStream): void {
  const { route, virtualHost, table, choice } = stream;
  const weighted = choice?.weighted?.requestHeaders;
  applyInOrder(
    stream,
    stream.state,
    weighted,
    route?.requestHeaders,
    virtualHost?.requestHeaders,
    table?.requestHeaders,
  );
}

export function applyResponseMutations(stream: HttpStream, headers: HeaderBlock): void {
  const { route, virtualHost, table, choice } = stream;
  const weighted = choice?.weighted?.responseHeaders;
  const target = { headers };
  applyInOrder(stream, target, weighted, route?.responseHeaders, virtualHost?.responseHeaders, table?.responseHeaders);
}

// hot: the callers name the properties; reading them by a variable key is many times dearer (bench dataplane).
function applyInOrder(
  { table, state }: HttpStream,
  target: MutationTarget,
  weighted: HeaderMutation | undefined,
  fromRoute: HeaderMutation | undefined,
  fromHost: HeaderMutation | undefined,
  fromTable: HeaderMutation | undefined,
): void {
  if (table?.mostSpecificMutationsWin === true) {
    if (fromTable !== undefined) applyHeaderMutation(fromTable, target, state);
    if (fromHost !== undefined) applyHeaderMutation(fromHost, target, state);
    if (fromRoute !== undefined) applyHeaderMutation(fromRoute, target, state);
    if (weighted !== undefined) applyHeaderMutation(weighted, target, state);
    return;
  }
  if (weighted !== undefined) applyHeaderMutation(weighted, target, state);
  if (fromRoute !== undefined) applyHeaderMutation(fromRoute, target, state);
  if (fromHost !== undefined) applyHeaderMutation(fromHost, target, state);
  if (fromTable !== undefined) applyHeaderMutation(fromTable, target, state);
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
      headers.setOwn("x-envoy-upstream-service-time", String(Math.floor(stream.lastActivity - attempt.startedAt)));
    if (stream.virtualHost?.includeAttemptCountInResponse === true)
      headers.setOwn("x-envoy-attempt-count", String(state.upstreamRequestAttemptCount));
  }
  const cors = stream.filters?.cors;
  if (cors !== undefined) addCorsHeaders(cors.config, cors.origin, headers);
  if (!headers.has("date")) headers.setOwn("date", httpDate(context.clock.now()));
  if (config.serverHeader === "OVERWRITE" || (config.serverHeader === "APPEND_IF_ABSENT" && !headers.has("server")))
    headers.set("server", config.serverName);
  if (config.requestIdInResponse) {
    const id = state.headers.get("x-request-id");
    if (id !== undefined) headers.set("x-request-id", id);
  }
  if (config.via !== "") headers.add("via", config.via);
}
