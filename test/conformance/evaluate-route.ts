/**
 * What the proxy does with one request under one RouteConfiguration, without a socket: the compiled table, its router and its header
 * mutations, in the order of packages/proxy/src/http/stream.ts. Used by every set that has routes.
 */
import { createHeaderBlock, type HeaderBlock } from "@argyle/codec";
import type { StreamRecord } from "@argyle/telemetry";
import { Fields } from "../../packages/proxy/src/config/fields.ts";
import {
  compileHeaderMatcher,
  headerReader,
  type RequestView,
} from "../../packages/proxy/src/config/header-matcher.ts";
import { applyHeaderMutation, type HeaderMutation } from "../../packages/proxy/src/config/header-mutation.ts";
import type { PerFilterConfig } from "../../packages/proxy/src/config/per-filter-config.ts";
import type { RouteAction } from "../../packages/proxy/src/config/route-action.ts";
import {
  compileRouteTable,
  type Route,
  type RouteTable,
  type VirtualHost,
} from "../../packages/proxy/src/config/route-config.ts";
import {
  type ClusterChoice,
  findRoute,
  findVirtualHost,
  needsTlsRedirect,
  pickCluster,
  redirectLocation,
} from "../../packages/proxy/src/router.ts";

export type HttpRequest = RequestView;

export interface RouteAnswer {
  /** The configuration's own faults. */
  readonly problems: readonly string[];
  readonly kind: "no-host" | "no-route" | "tls-required" | "redirect" | "direct" | "route";
  /** "" unless the kind is "route". */
  readonly cluster: string;
  /** The virtual host that was found; as the check tool has it, "" unless the kind is "route". */
  readonly virtualHost: string;
  /** The virtual host whatever became of the request. */
  readonly foundHost: string;
  readonly routeName: string;
  readonly action: RouteAction | undefined;
  /** typed_per_filter_config of the route, else of the virtual host, by kind. */
  readonly filters: readonly PerFilterConfig[];
  /** After rewrites. */
  readonly path: string;
  readonly authority: string;
  /** Of a redirect or a direct response, else "". */
  readonly location: string;
  readonly status: number;
  readonly request: HttpRequest;
  readonly response: HttpRequest;
}

export interface RouteInput {
  readonly random?: number;
  readonly isInternal?: boolean;
  /** Headers that the upstream sent. */
  readonly responseHeaders?: readonly (readonly [string, string])[];
}

export function evaluateRoute(config: object, request: HttpRequest, input: RouteInput = {}): RouteAnswer {
  const sink = { problems: [] as { readonly path: string; readonly message: string }[] };
  const table = compileRouteTable(new Fields(config, "", sink));
  const problems = sink.problems.map(({ path, message }) => `${path}: ${message}`);
  const random = input.random ?? 0;
  const nothing: RouteAnswer = {
    problems,
    kind: "no-host",
    cluster: "",
    virtualHost: "",
    foundHost: "",
    routeName: "",
    action: undefined,
    filters: [],
    path: "",
    authority: "",
    location: "",
    status: 404,
    request,
    response: withHeaders(request, []),
  };
  const host = findVirtualHost(table, request.authority);
  if (host === undefined) return nothing;
  const found: RouteAnswer = { ...nothing, kind: "no-route", foundHost: host.name };
  if (needsTlsRedirect(host, request, input.isInternal === true))
    return { ...found, kind: "tls-required", status: 301, location: `https://${request.authority}${request.path}` };
  const route = findRoute(host, request, random);
  if (route === undefined) return found;
  const named: RouteAnswer = {
    ...found,
    routeName: route.name,
    filters: [...route.filterConfigs.values(), ...host.filterConfigs.values()],
  };
  const { action } = route;
  switch (action.kind) {
    case "redirect": {
      const location = redirectLocation(action, request, route);
      const response = respond(request, [["location", location]], levels(table, host, route));
      return { ...named, kind: "redirect", status: action.code, location, response };
    }
    case "direct": {
      const body: readonly (readonly [string, string])[] =
        action.body === ""
          ? []
          : [
              ["content-length", String(Buffer.byteLength(action.body))],
              ["content-type", "text/plain"],
            ];
      const response = respond(request, body, levels(table, host, route));
      const location = `${request.scheme}://${request.authority}${request.path}`;
      return { ...named, kind: "direct", status: action.status, location, response };
    }
    case "route": {
      const choice = pickCluster(action.target, request, random);
      const order = levels(table, host, route, choice);
      const sent = rewrite(request, action, choice, order);
      return {
        ...named,
        kind: "route",
        status: 200,
        action,
        cluster: choice.name,
        virtualHost: host.name,
        path: sent.path,
        authority: sent.authority,
        request: sent,
        response: respond(request, input.responseHeaders ?? [], order),
      };
    }
  }
}

/** envoy.config.route.v3.HeaderMatcher over the outcome. */
export function matchesHeader(matcher: object, view: HttpRequest): boolean {
  const sink = { problems: [] as { readonly path: string; readonly message: string }[] };
  const test = compileHeaderMatcher(new Fields(matcher, "", sink));
  const [problem] = sink.problems;
  if (problem !== undefined) throw new Error(`${problem.path}: ${problem.message}`);
  return test(view);
}

export function headerOf(view: HttpRequest, name: string): string | undefined {
  return headerReader(name.toLowerCase())(view);
}

interface Mutations {
  readonly requestHeaders: HeaderMutation | undefined;
  readonly responseHeaders: HeaderMutation | undefined;
}

function levels(table: RouteTable, host: VirtualHost, route: Route, choice?: ClusterChoice): readonly Mutations[] {
  const list = [...(choice?.weighted === undefined ? [] : [choice.weighted]), route, host, table];
  return table.mostSpecificMutationsWin ? list.reverse() : list;
}

function rewrite(
  request: HttpRequest,
  action: RouteAction,
  choice: ClusterChoice,
  order: readonly Mutations[],
): HttpRequest {
  const sent = { ...request, headers: request.headers.clone() };
  const literal = choice.weighted?.hostRewrite ?? "";
  if (literal !== "") sent.authority = literal;
  else if (action.hostRewrite?.kind === "literal") sent.authority = action.hostRewrite.host;
  else if (action.hostRewrite?.kind === "header")
    sent.authority = headerOf(request, action.hostRewrite.header) ?? sent.authority;
  else if (action.hostRewrite?.kind === "path") sent.authority = action.hostRewrite.rewrite(request.path);
  sent.path = action.pathRewrite?.(request.path) ?? request.path;
  const target = {
    headers: sent.headers,
    setAuthority: (value: string) => {
      sent.authority = value;
    },
  };
  for (const { requestHeaders } of order)
    if (requestHeaders !== undefined) applyHeaderMutation(requestHeaders, target, recordOf(request));
  return sent;
}

function respond(
  request: HttpRequest,
  headers: readonly (readonly [string, string])[],
  order: readonly Mutations[],
): HttpRequest {
  const view = withHeaders(request, headers);
  for (const { responseHeaders } of order)
    if (responseHeaders !== undefined)
      applyHeaderMutation(responseHeaders, { headers: view.headers }, recordOf(request));
  return view;
}

function withHeaders(request: HttpRequest, headers: readonly (readonly [string, string])[]): HttpRequest {
  const block: HeaderBlock = createHeaderBlock(headers);
  return { ...request, headers: block };
}

/** What header formats may read of the stream. */
function recordOf(request: HttpRequest): StreamRecord {
  const unknown = {
    responseHeaders: undefined,
    responseTrailers: undefined,
    originalPath: undefined,
    protocol: "HTTP/1.1",
    startTimeMs: 0,
    durationMs: undefined,
    requestDurationMs: undefined,
    responseDurationMs: undefined,
    responseTxDurationMs: undefined,
    responseCode: 0,
    responseFlags: "-",
    responseCodeDetails: undefined,
    connectionTerminationDetails: undefined,
    upstreamTransportFailureReason: undefined,
    bytesReceived: 0,
    bytesSent: 0,
    upstreamHost: undefined,
    upstreamCluster: undefined,
    upstreamLocalAddress: undefined,
    upstreamRequestAttemptCount: 0,
    downstreamLocalAddress: undefined,
    downstreamRemoteAddress: undefined,
    downstreamDirectRemoteAddress: undefined,
    requestedServerName: undefined,
    routeName: undefined,
    connectionId: 0,
    downstreamPeerUriSan: undefined,
    downstreamLocalUriSan: undefined,
    downstreamPeerSubject: undefined,
    downstreamTlsVersion: undefined,
    downstreamTlsCipher: undefined,
  };
  return {
    ...unknown,
    requestHeaders: { get: (name) => headerOf(request, name) },
    method: request.method,
    path: request.path,
    authority: request.authority,
    scheme: request.scheme,
    dynamicMetadata: () => undefined,
    filterState: () => undefined,
  };
}
