/** envoy.type.matcher.v3.StringMatcher → a predicate. https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/type/matcher/v3/string.proto */
import type { Fields } from "./fields.ts";
import { compileRegex } from "./regex.ts";

export type TextPredicate = (text: string) => boolean;

export function compileStringMatcher(fields: Fields): TextPredicate {
  const ignoreCase = fields.boolean("ignore_case");
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  for (const kind of ["exact", "prefix", "suffix", "contains"] as const) {
    if (!fields.has(kind)) continue;
    const wanted = fold(fields.string(kind));
    return compare(kind, wanted, ignoreCase);
  }
  if (fields.has("safe_regex")) {
    const regex = compileRegex(fields, "safe_regex");
    return (text) => regex.matches(text);
  }
  fields.problem("", "match_pattern is required");
  return () => false;
}

export function compare(
  kind: "exact" | "prefix" | "suffix" | "contains",
  wanted: string,
  ignoreCase: boolean,
): TextPredicate {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  switch (kind) {
    case "exact":
      return ignoreCase ? (text) => fold(text) === wanted : (text) => text === wanted;
    case "prefix":
      return (text) => fold(text).startsWith(wanted);
    case "suffix":
      return (text) => fold(text).endsWith(wanted);
    case "contains":
      return (text) => fold(text).includes(wanted);
  }
}
