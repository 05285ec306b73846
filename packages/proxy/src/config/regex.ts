/**
 * safe_regex: RE2 syntax, linear time, whole-text match (Envoy uses RE2::FullMatch). Patterns that are a literal with `.*` or `.+` at the end
 * are compared as prefixes instead, which is what most route regexes are.
 */
import { RE2JS } from "re2js";
import type { Fields } from "./fields.ts";

export interface Regex {
  matches(text: string): boolean;
  /** RE2::GlobalReplace with `\1` back references. */
  replace(text: string, substitution: string): string;
}

export function compileRegex(fields: Fields, name: string): Regex {
  const pattern = fields.object(name)?.required("regex") ?? "";
  return compilePattern(pattern, fields, name);
}

export function compilePattern(pattern: string, fields: Fields, name: string): Regex {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    fields.problem(name, `invalid regex '${pattern}': ${error instanceof Error ? error.message : String(error)}`);
    return NEVER;
  }
  const replace = (text: string, substitution: string) =>
    compiled.matcher(text).replaceAll(toJavaReplacement(substitution));
  const literal = /^([A-Za-z0-9_/ :=@,-]*)(\.\*|\.\+)?$/.exec(pattern);
  if (literal === null) {
    const needed = longestNeededText(pattern);
    return { matches: (text) => text.includes(needed) && compiled.matches(text), replace };
  }
  const prefix = literal[1] ?? "";
  const hasNewline = (text: string) => text.indexOf("\n", prefix.length) !== -1;
  switch (literal[2]) {
    case ".*":
      return { matches: (text) => text.startsWith(prefix) && !hasNewline(text), replace };
    case ".+":
      return {
        matches: (text) => text.length > prefix.length && text.startsWith(prefix) && !hasNewline(text),
        replace,
      };
    default:
      return { matches: (text) => text === prefix, replace };
  }
}

/**
 * The longest text that everything the pattern matches must hold, "" where that is not plain to see.
 * hot: a request passes the regexes of all routes before its own, and most end here instead of in the matcher (bench dataplane).
 */
export function longestNeededText(pattern: string): string {
  if (/[|()\\]|\[:/.test(pattern)) return "";
  // A class, and a character that may be absent, end a run; one that is repeated belongs to it, and ends it.
  const runs = pattern.split(/\[\^?\]?[^\]]*\](?:[*+?]|\{[^}]*\})?\??|[^+](?:[*?]|\{[^}]*\})\??|\+\??|[.^$]/);
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), "");
}

const NEVER: Regex = { matches: () => false, replace: (text) => text };

/** RE2's `\1` and `\\` to the `$1` form of re2js, with literal dollars kept. */
function toJavaReplacement(substitution: string): string {
  return substitution.replace(/\\(\d)|\\\\|\$/g, (whole, group: string | undefined) =>
    group !== undefined ? `$${group}` : whole === "$" ? "\\$" : "\\\\",
  );
}
