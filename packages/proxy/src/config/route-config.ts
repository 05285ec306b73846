/**
 * envoy.config.route.v3.RouteConfiguration → RouteTable. Pure. All problems are gathered in the Fields' sink.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto
 */
import { compileTextFormat, type Formatter } from "@argyle/telemetry";
import type { Fields } from "./fields.ts";
import { compileHeaderMutation, type HeaderMutation } from "./header-mutation.ts";
import { compilePerFilter, type PerFilterConfigs } from "./per-filter-config.ts";
import { compileRegex } from "./regex.ts";
import { compileRetryPolicy, type RetryPolicy } from "./retry-policy.ts";
import { compileRouteAction, type RouteAction } from "./route-action.ts";
import { compileRouteMatch, type RouteMatch } from "./route-match.ts";

export interface RouteTable {
  readonly name: string;
  readonly ignorePort: boolean;
  readonly mostSpecificMutationsWin: boolean;
  readonly validateClusters: boolean;
  readonly virtualHosts: readonly VirtualHost[];
  /** Exact domains in lower case. */
  readonly exact: ReadonlyMap<string, VirtualHost>;
  /** `*.foo.com` and `foo.*`, longest first. */
  readonly suffixes: readonly WildcardDomain[];
  readonly prefixes: readonly WildcardDomain[];
  readonly fallback: VirtualHost | undefined;
  /** The last answer of findVirtualHost(). */
  readonly lastFound: { authority: string | undefined; virtualHost: VirtualHost | undefined };
  readonly requestHeaders: HeaderMutation | undefined;
  readonly responseHeaders: HeaderMutation | undefined;
  readonly filterConfigs: PerFilterConfigs;
}

export interface WildcardDomain {
  readonly text: string;
  readonly virtualHost: VirtualHost;
}

export interface VirtualHost {
  readonly name: string;
  readonly requireTls: "NONE" | "EXTERNAL_ONLY" | "ALL";
  readonly routes: readonly Route[];
  readonly retryPolicy: RetryPolicy | undefined;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly requestHeaders: HeaderMutation | undefined;
  readonly responseHeaders: HeaderMutation | undefined;
  readonly filterConfigs: PerFilterConfigs;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction | RedirectAction | DirectResponse;
  readonly operation: string | undefined;
  readonly requestHeaders: HeaderMutation | undefined;
  readonly responseHeaders: HeaderMutation | undefined;
  readonly filterConfigs: PerFilterConfigs;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly host: string;
  readonly port: number;
  readonly scheme: string;
  readonly httpsRedirect: boolean;
  readonly path: string;
  readonly prefixRewrite: string;
  readonly regexRewrite: ((path: string) => string) | undefined;
  readonly code: number;
  readonly stripQuery: boolean;
}

export interface DirectResponse {
  readonly kind: "direct";
  readonly status: number;
  readonly body: string;
  readonly bodyFormat: Formatter | undefined;
}

export function compileRouteTable(fields: Fields): RouteTable {
  const exact = new Map<string, VirtualHost>();
  const suffixes: WildcardDomain[] = [];
  const prefixes: WildcardDomain[] = [];
  const seen = new Set<string>();
  let fallback: VirtualHost | undefined;
  const virtualHosts = fields.list("virtual_hosts").map((host) => {
    const virtualHost = compileVirtualHost(host);
    for (const domain of host.strings("domains")) {
      const folded = domain.toLowerCase();
      if (seen.has(folded))
        fields.problem(
          "virtual_hosts",
          `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${fields.string("name")}`,
        );
      seen.add(folded);
      if (folded === "*") fallback = virtualHost;
      else if (folded.startsWith("*")) suffixes.push({ text: folded.slice(1), virtualHost });
      else if (folded.endsWith("*")) prefixes.push({ text: folded.slice(0, -1), virtualHost });
      else exact.set(folded, virtualHost);
    }
    return virtualHost;
  });
  const longest = (a: WildcardDomain, b: WildcardDomain) => b.text.length - a.text.length;
  return {
    name: fields.string("name"),
    ignorePort: fields.boolean("ignore_port_in_host_matching"),
    mostSpecificMutationsWin: fields.boolean("most_specific_header_mutations_wins"),
    validateClusters: fields.boolean("validate_clusters"),
    virtualHosts,
    exact,
    suffixes: suffixes.sort(longest),
    prefixes: prefixes.sort(longest),
    fallback,
    lastFound: { authority: undefined, virtualHost: undefined },
    requestHeaders: compileHeaderMutation(fields, "request"),
    responseHeaders: compileHeaderMutation(fields, "response"),
    filterConfigs: compilePerFilter(fields),
  };
}

function compileVirtualHost(fields: Fields): VirtualHost {
  if (fields.strings("domains").length === 0) fields.problem("domains", "must contain at least 1 item");
  const retry = fields.object("retry_policy");
  return {
    name: fields.required("name"),
    requireTls: fields.enumeration("require_tls", ["NONE", "EXTERNAL_ONLY", "ALL"], "NONE"),
    routes: fields.list("routes").map(compileRoute),
    retryPolicy: retry === undefined ? undefined : compileRetryPolicy(retry),
    includeRequestAttemptCount: fields.boolean("include_request_attempt_count"),
    includeAttemptCountInResponse: fields.boolean("include_attempt_count_in_response"),
    requestHeaders: compileHeaderMutation(fields, "request"),
    responseHeaders: compileHeaderMutation(fields, "response"),
    filterConfigs: compilePerFilter(fields),
  };
}

function compileRoute(fields: Fields): Route {
  const match = fields.object("match");
  if (match === undefined) fields.problem("match", "value is required");
  const compiledMatch = match === undefined ? NEVER : compileRouteMatch(match);
  return {
    name: fields.string("name"),
    match: compiledMatch,
    action: compileAction(fields, compiledMatch),
    operation: fields.object("decorator")?.string("operation"),
    requestHeaders: compileHeaderMutation(fields, "request"),
    responseHeaders: compileHeaderMutation(fields, "response"),
    filterConfigs: compilePerFilter(fields),
    metadata: fields.object("metadata")?.object("filter_metadata")?.raw ?? {},
  };
}

const NEVER: RouteMatch = { path: { kind: "connect" }, matches: () => false };

function compileAction(fields: Fields, match: RouteMatch): Route["action"] {
  const route = fields.object("route");
  if (route !== undefined) return compileRouteAction(route, match.path);
  const redirect = fields.object("redirect");
  if (redirect !== undefined) return compileRedirect(redirect);
  const direct = fields.object("direct_response");
  if (direct !== undefined) return compileDirect(direct);
  fields.problem("", "action is required");
  return { kind: "direct", status: 500, body: "", bodyFormat: undefined };
}

const REDIRECT_CODES = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;
const REDIRECT_NAMES = ["MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"] as const;

function compileRedirect(fields: Fields): RedirectAction {
  const regex = fields.object("regex_rewrite");
  return {
    kind: "redirect",
    host: fields.string("host_redirect"),
    port: fields.number("port_redirect", 0),
    scheme: fields.string("scheme_redirect"),
    httpsRedirect: fields.boolean("https_redirect"),
    path: fields.string("path_redirect"),
    prefixRewrite: fields.string("prefix_rewrite"),
    regexRewrite: regex === undefined ? undefined : compileRegexRewrite(regex),
    code: REDIRECT_CODES[fields.enumeration("response_code", REDIRECT_NAMES, "MOVED_PERMANENTLY")],
    stripQuery: fields.boolean("strip_query"),
  };
}

export function compileRegexRewrite(fields: Fields): (path: string) => string {
  const regex = compileRegex(fields, "pattern");
  const substitution = fields.string("substitution");
  return (path) => regex.replace(path, substitution);
}

function compileDirect(fields: Fields): DirectResponse {
  const status = fields.number("status", 200);
  if (status < 200 || status > 599) fields.problem("status", "must be in [200, 600)");
  const body = fields.object("body");
  const text =
    body === undefined
      ? ""
      : body.has("inline_bytes")
        ? Buffer.from(body.string("inline_bytes"), "base64").toString("latin1")
        : Buffer.from(body.string("inline_string"), "utf8").toString("latin1");
  if (body?.has("filename") === true) body.problem("filename", "only inline bodies are supported");
  const format = fields.object("body_format")?.object("text_format_source")?.string("inline_string");
  const compiled = format === undefined ? undefined : compileTextFormat(format);
  return { kind: "direct", status, body: text, bodyFormat: compiled?.ok === true ? compiled.value : undefined };
}
