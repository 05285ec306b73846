/** What a route does to the headers on the way up and down. Called once per request; nothing here allocates when the route asks for nothing. */
import { type HeaderBlock, isGrpcContentType, type ResponseHead, removeConnectionFields } from "@argyle/codec";
import { applyHeaderMutation, type HeaderMutation, type MutationTarget } from "../config/header-mutation.ts";
import type { RouteAction } from "../config/route-action.ts";
import { addCorsHeaders } from "../filters/cors.ts";
import { httpDate } from "./http-date.ts";
import type { HttpStream } from "./stream.ts";
import type { StreamState } from "./stream-state.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

export function rewriteRequest(stream: HttpStream, action: RouteAction): void {
  const { state } = stream;
  const { suppressEnvoyHeaders } = stream.context;
  const weightedHost = stream.choice?.weighted?.hostRewrite ?? "";
  const { hostRewrite } = action;
  if (weightedHost !== "") rewriteHost(state, action, weightedHost, suppressEnvoyHeaders);
  else if (hostRewrite !== undefined) {
    switch (hostRewrite.kind) {
      case "literal":
        rewriteHost(state, action, hostRewrite.host, suppressEnvoyHeaders);
        break;
      case "header":
        rewriteHost(state, action, state.headers.get(hostRewrite.header) ?? "", suppressEnvoyHeaders);
        break;
      case "path":
        rewriteHost(state, action, hostRewrite.rewrite(state.path), suppressEnvoyHeaders);
        break;
      case "auto":
        break;
    }
  }
  if (action.pathRewrite === undefined) return;
  const rewritten = action.pathRewrite(state.path);
  state.originalPath = state.path;
  if (!stream.context.suppressEnvoyHeaders) state.headers.set("x-envoy-original-path", state.path);
  state.path = rewritten;
}

function rewriteHost(state: StreamState, action: RouteAction, host: string, suppressesEnvoyHeaders: boolean): void {
  if (host === "" || host === state.authority) return;
  if (action.appendXForwardedHost) {
    const before = state.headers.combined("x-forwarded-host");
    state.headers.set("x-forwarded-host", before === undefined ? state.authority : `${before},${state.authority}`);
  }
  if (!suppressesEnvoyHeaders) state.headers.set("x-envoy-original-host", state.authority);
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

/** What the router does to the head of an upstream's response, before the route's own changes. */
export function finishUpstreamHead(
  stream: HttpStream,
  headers: HeaderBlock,
  head: ResponseHead,
  attempt: UpstreamRequest,
): void {
  const { context, state } = stream;
  const upgrade = head.status === 101 ? headers.get("upgrade") : undefined;
  removeConnectionFields(headers);
  if (upgrade !== undefined) {
    headers.set("connection", "upgrade");
    headers.set("upgrade", upgrade);
  }
  // The time counts from the end of the request: a response that came before it has none.
  if (!context.suppressEnvoyHeaders && stream.isRequestDone && !stream.wantsTunnel)
    headers.setOwn("x-envoy-upstream-service-time", String(Math.floor(stream.lastActivity - attempt.startedAt)));
  if (stream.virtualHost?.includeAttemptCountInResponse === true)
    headers.setOwn("x-envoy-attempt-count", String(state.upstreamRequestAttemptCount));
}

/** A route's changes must not make a gRPC client's answer look like something else. */
export function finishLocalHead({ state }: HttpStream, headers: HeaderBlock): void {
  if (headers.has("grpc-status") && isGrpcContentType(state.headers.get("content-type")))
    headers.set("content-type", "application/grpc");
}

/** The headers that every response gets from the filters and the connection manager, after the route's changes. */
export function finishResponse(stream: HttpStream, headers: HeaderBlock): void {
  const { context, state } = stream;
  const { config } = context;
  const cors = stream.filters?.cors;
  if (cors !== undefined) addCorsHeaders(cors.config, cors.origin, headers);
  if (!headers.has("date")) headers.setOwn("date", httpDate(context.clock.now()));
  if (config.serverHeader === "OVERWRITE" || (config.serverHeader === "APPEND_IF_ABSENT" && !headers.has("server")))
    headers.set("server", config.serverName);
  if (config.requestIdInResponse || (state.isInternal && state.headers.has("x-envoy-force-trace"))) {
    const id = state.headers.get("x-request-id");
    if (id !== undefined) headers.set("x-request-id", id);
  }
  if (config.via === "") return;
  const via = headers.combined("via");
  headers.set("via", via === undefined ? config.via : `${via}, ${config.via}`);
}
