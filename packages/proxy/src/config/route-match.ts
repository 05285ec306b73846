/** envoy.config.route.v3.RouteMatch → one predicate over a request. Cheapest tests first; the query is parsed only when a matcher needs it. */
import { isGrpcContentType } from "@argyle/codec";
import { compileMetadataMatcher } from "../filters/metadata-matcher.ts";
import type { Fields } from "./fields.ts";
import { compileFraction, isInFraction } from "./fraction.ts";
import { compileHeaderMatcher, compileQueryMatcher, parseQuery, type RequestView } from "./header-matcher.ts";
import { compileRegex, type Regex } from "./regex.ts";

export type PathMatch =
  | { readonly kind: "prefix" | "path" | "separated-prefix"; readonly text: string }
  | { readonly kind: "regex"; readonly regex: Regex }
  | { readonly kind: "connect" };

export interface RouteMatch {
  readonly path: PathMatch;
  /** `pathname` is the path without query and fragment; `random` a non-negative integer that is the same for the whole request. */
  matches(request: RequestView, pathname: string, random: number): boolean;
}

export function compileRouteMatch(fields: Fields): RouteMatch {
  const caseSensitive = fields.boolean("case_sensitive", true);
  const path = compilePath(fields, caseSensitive);
  const matchesPath = pathPredicate(path, caseSensitive);
  const headers = fields.list("headers").map(compileHeaderMatcher);
  const query = fields.list("query_parameters").map(compileQueryMatcher);
  const runtime = fields.object("runtime_fraction");
  const fraction = runtime === undefined ? undefined : compileFraction(runtime);
  const needsGrpc = fields.has("grpc");
  const metadata = fields.list("dynamic_metadata").map(compileMetadataMatcher);
  return {
    path,
    // hot: called for every route before the one that matches.
    matches(request, pathname, random) {
      if (!matchesPath(pathname, request)) return false;
      if (needsGrpc && !isGrpcContentType(request.headers.get("content-type"))) return false;
      for (const header of headers) if (!header(request)) return false;
      if (query.length > 0) {
        const parameters = parseQuery(request.path);
        for (const test of query) if (!test(parameters)) return false;
      }
      for (const test of metadata) if (!test((filter) => request.dynamicMetadata?.(filter, []))) return false;
      return fraction === undefined || isInFraction(fraction, random);
    },
  };
}

function compilePath(fields: Fields, caseSensitive: boolean): PathMatch {
  const fold = (text: string) => (caseSensitive ? text : text.toLowerCase());
  if (fields.has("path")) return { kind: "path", text: fold(fields.string("path")) };
  if (fields.has("prefix")) return { kind: "prefix", text: fold(fields.string("prefix")) };
  if (fields.has("safe_regex")) return { kind: "regex", regex: compileRegex(fields, "safe_regex") };
  if (fields.has("path_separated_prefix"))
    return { kind: "separated-prefix", text: fold(fields.string("path_separated_prefix")) };
  if (fields.has("connect_matcher")) return { kind: "connect" };
  fields.problem("", "path_specifier is required");
  return { kind: "connect" };
}

function pathPredicate(path: PathMatch, caseSensitive: boolean): (pathname: string, request: RequestView) => boolean {
  switch (path.kind) {
    case "connect":
      return (_pathname, request) => request.method === "CONNECT";
    case "regex":
      return (pathname) => path.regex.matches(pathname);
    case "path":
      return caseSensitive ? (p) => p === path.text : (p) => p.toLowerCase() === path.text;
    case "prefix":
      if (path.text === "/") return (p) => p.startsWith("/");
      return caseSensitive ? (p) => p.startsWith(path.text) : (p) => p.toLowerCase().startsWith(path.text);
    case "separated-prefix": {
      const length = path.text.length;
      return (p) => {
        const folded = caseSensitive ? p : p.toLowerCase();
        return folded.startsWith(path.text) && (p.length === length || p[length] === "/");
      };
    }
  }
}
