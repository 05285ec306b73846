/**
 * envoy.config.route.v3.HeaderMatcher and QueryParameterMatcher. Of several headers of one name each value is matched alone, so that adding
 * one can't hide another; a missing header never matches, inverted or not, unless the matcher says `treat_missing_header_as_empty` or asks
 * for absence. Query parameters are compared as sent: Envoy does not unescape them.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto#config-route-v3-headermatcher
 */
import type { HeaderBlock } from "@argyle/codec";
import type { Fields } from "./fields.ts";
import { compileRegex } from "./regex.ts";
import { compare, compileStringMatcher, type TextPredicate } from "./string-matcher.ts";

/** What routes and policies see of a request. */
export interface RequestView {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: HeaderBlock;
  /** What filters have left; absent where none has run. */
  dynamicMetadata?(filter: string, path: readonly string[]): unknown;
}

export type HeaderPredicate = (request: RequestView) => boolean;

export function compileHeaderMatcher(fields: Fields): HeaderPredicate {
  const name = fields.required("name").toLowerCase();
  const isInverted = fields.boolean("invert_match");
  const emptyWhenMissing = fields.boolean("treat_missing_header_as_empty");
  const read = headerReader(name);
  if (fields.has("present_match") || !hasValueMatch(fields)) {
    const wanted = fields.boolean("present_match", true) !== isInverted;
    return (request) => (read(request) !== undefined || emptyWhenMissing) === wanted;
  }
  const test = valuePredicate(fields);
  return (request) => {
    const value = read(request) ?? (emptyWhenMissing ? "" : undefined);
    if (value === undefined) return false;
    const isMatch = test(value) || (value.includes(",") && request.headers.getAll(name).some(test));
    return isMatch !== isInverted;
  };
}

export function headerReader(name: string): (request: RequestView) => string | undefined {
  switch (name) {
    case ":method":
      return (request) => request.method;
    case ":path":
      return (request) => request.path;
    case ":authority":
    case "host":
      return (request) => request.authority;
    case ":scheme":
      return (request) => request.scheme;
    default:
      return (request) => request.headers.combined(name);
  }
}

const LEGACY = {
  exact_match: "exact",
  prefix_match: "prefix",
  suffix_match: "suffix",
  contains_match: "contains",
} as const;

function hasValueMatch(fields: Fields): boolean {
  return ["string_match", "safe_regex_match", "range_match", ...Object.keys(LEGACY)].some((name) => fields.has(name));
}

function valuePredicate(fields: Fields): TextPredicate {
  const matcher = fields.object("string_match");
  if (matcher !== undefined) return compileStringMatcher(matcher);
  if (fields.has("safe_regex_match")) {
    const regex = compileRegex(fields, "safe_regex_match");
    return (text) => regex.matches(text);
  }
  const range = fields.object("range_match");
  if (range !== undefined) {
    const start = range.number("start", 0);
    const end = range.number("end", 0);
    return (text) => /^[+-]?\d+$/.test(text) && Number(text) >= start && Number(text) < end;
  }
  for (const [name, kind] of Object.entries(LEGACY)) {
    if (fields.has(name)) return compare(kind, fields.string(name), false);
  }
  return () => false;
}

/** The first value of each name, as sent. */
export type QueryParameters = ReadonlyMap<string, string>;
export type QueryPredicate = (query: QueryParameters) => boolean;

export function parseQuery(path: string): QueryParameters {
  const parameters = new Map<string, string>();
  const mark = path.indexOf("?");
  if (mark === -1) return parameters;
  for (const pair of path.slice(mark + 1).split("&")) {
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (!parameters.has(name)) parameters.set(name, equals === -1 ? "" : pair.slice(equals + 1));
  }
  return parameters;
}

export function compileQueryMatcher(fields: Fields): QueryPredicate {
  const name = fields.required("name");
  const matcher = fields.object("string_match");
  if (matcher !== undefined) {
    const test = compileStringMatcher(matcher);
    return (query) => {
      const value = query.get(name);
      return value !== undefined && test(value);
    };
  }
  const wanted = fields.boolean("present_match", true);
  return (query) => query.has(name) === wanted;
}
