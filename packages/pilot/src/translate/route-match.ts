/**
 * HTTPMatchRequest to RouteMatch.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-routematch
 */
import type { HttpMatchRequest, StringMatch } from "@argyle/kube-types";
import { compareText } from "../model/config.ts";
import type { EnvoyMessage } from "../model/json.ts";

export function routeMatch(match: HttpMatchRequest | undefined): EnvoyMessage {
  if (match === undefined) return { prefix: "/" };
  const headers: EnvoyMessage[] = [];
  const claims: EnvoyMessage[] = [];
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    if (isClaim(name)) claims.push(claimMatcher(name, value));
    else headers.push(headerMatcher(name, value));
  }
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    if (isClaim(name)) {
      claims.push({ ...claimMatcher(name, value), invert: true });
      continue;
    }
    headers.push({
      ...headerMatcher(name, value),
      invert_match: true,
      // An absent header is one that does not have the value: it must match the inversion.
      treat_missing_header_as_empty: isPresence(value) ? undefined : true,
    });
  }
  headers.sort((a, b) => compareText(String(a.name), String(b.name)));
  for (const [name, value] of [
    [":method", match.method],
    [":authority", match.authority],
    [":scheme", match.scheme],
  ] as const) {
    if (value !== undefined) headers.push(headerMatcher(name, value));
  }
  const query = Object.entries(match.queryParams ?? {}).map(([name, value]) =>
    isPresence(value) ? { name, present_match: true } : { name, string_match: stringMatcher(value) },
  );
  return {
    ...pathMatch(match.uri),
    case_sensitive: match.ignoreUriCase === true ? false : undefined,
    headers: headers.length === 0 ? undefined : headers,
    dynamic_metadata: claims.length === 0 ? undefined : claims,
    query_parameters: query.length === 0 ? undefined : query,
  };
}

/** True when a route without further conditions would take every request: what stands behind it cannot be reached. */
export function isCatchAll(match: HttpMatchRequest | undefined): boolean {
  if (match === undefined) return true;
  const { uri } = match;
  const anyPath =
    uri === undefined || uri.prefix === "/" || uri.regex === "*" || uri.regex === ".*" || uri.prefix === "";
  return (
    anyPath &&
    Object.keys(match.headers ?? {}).length === 0 &&
    Object.keys(match.withoutHeaders ?? {}).length === 0 &&
    Object.keys(match.queryParams ?? {}).length === 0 &&
    match.method === undefined &&
    match.authority === undefined &&
    match.scheme === undefined &&
    match.sourceNamespace === undefined
  );
}

export function stringMatcher(match: StringMatch): EnvoyMessage {
  if (match.exact !== undefined) return { exact: match.exact };
  if (match.prefix !== undefined) return { prefix: match.prefix };
  return { safe_regex: { regex: match.regex ?? "" } };
}

function pathMatch(uri: StringMatch | undefined): EnvoyMessage {
  if (uri?.exact !== undefined) return { path: uri.exact };
  if (uri?.regex !== undefined) return { safe_regex: { regex: uri.regex } };
  return { prefix: uri?.prefix === undefined || uri.prefix === "" ? "/" : uri.prefix };
}

const CLAIM = "@request.auth.claims";

function isClaim(name: string): boolean {
  return name.toLowerCase().startsWith(CLAIM);
}

/** `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`: what jwt_authn found in the token, a text or a list with it. */
function claimMatcher(name: string, match: StringMatch): EnvoyMessage {
  const rest = name.slice(CLAIM.length);
  const bracketed = [...rest.matchAll(/\[([^\]]+)\]/g)].map((found) => found[1] ?? "");
  const keys = bracketed.length > 0 ? bracketed : rest.slice(1).split(".");
  const value = { string_match: isPresence(match) ? { safe_regex: { regex: ".*" } } : stringMatcher(match) };
  return {
    filter: "envoy.filters.http.jwt_authn",
    path: ["payload", ...keys].map((key) => ({ key })),
    value: { or_match: { value_matchers: [value, { list_match: { one_of: value } }] } },
  };
}

function headerMatcher(name: string, match: StringMatch): EnvoyMessage {
  if (isPresence(match)) return { name, present_match: true };
  return { name, string_match: stringMatcher(match) };
}

/** An empty match, and `*` (which is no regular expression), only ask for the name to be there. `.*` also takes the empty value of no header. */
function isPresence(match: StringMatch | null): boolean {
  if (match === null) return true;
  return match.exact === undefined && match.prefix === undefined && (match.regex === undefined || match.regex === "*");
}
