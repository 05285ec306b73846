/**
 * envoy.type.matcher.v3.MetadataMatcher: a value within a filter's dynamic metadata.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/type/matcher/v3/metadata.proto
 */
import type { Fields } from "../config/fields.ts";
import { compileStringMatcher } from "../config/string-matcher.ts";

type ValuePredicate = (value: unknown) => boolean;

export function compileMetadataMatcher(fields: Fields): (metadata: (filter: string) => unknown) => boolean {
  const filter = fields.required("filter");
  const keys = fields.list("path").map((segment) => segment.required("key"));
  const value = fields.object("value");
  const isInverted = fields.boolean("invert");
  if (value === undefined) {
    fields.problem("value", "value is required");
    return () => false;
  }
  const test = compileValue(value);
  return (metadata) => {
    let found = metadata(filter);
    for (const key of keys) found = memberOf(found, key);
    return test(found) !== isInverted;
  };
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // Claims are a stranger's words: what every object inherits is not among them.
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

function compileValue(fields: Fields): ValuePredicate {
  const text = fields.object("string_match");
  if (text !== undefined) {
    const test = compileStringMatcher(text);
    return (value) => typeof value === "string" && test(value);
  }
  const list = fields.object("list_match")?.object("one_of");
  if (list !== undefined) {
    const test = compileValue(list);
    return (value) => Array.isArray(value) && value.some(test);
  }
  const or = fields.object("or_match")?.list("value_matchers");
  if (or !== undefined) {
    const tests = or.map(compileValue);
    return (value) => tests.some((test) => test(value));
  }
  if (fields.has("bool_match")) {
    const wanted = fields.boolean("bool_match");
    return (value) => value === wanted;
  }
  if (fields.has("null_match")) return (value) => value === null;
  if (fields.has("present_match")) {
    const wanted = fields.boolean("present_match");
    return (value) => (value !== undefined) === wanted;
  }
  fields.problem("", `unsupported value matcher: ${Object.keys(fields.raw).join(", ") || "none"}`);
  return () => false;
}
