/**
 * envoy.extensions.path.match.uri_template.v3: `*` stands for one segment, `**` for any number of characters of the path, none included;
 * `{name}` is a segment and `{name=pattern}` what the pattern takes.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/path/match/uri_template/v3/uri_template_match.proto
 */
import type { Fields } from "../config/fields.ts";
import { compilePattern } from "../config/regex.ts";
import type { TextPredicate } from "../config/string-matcher.ts";

export function compileUriTemplate(fields: Fields): TextPredicate {
  const template = fields.required("path_template");
  if (!template.startsWith("/")) fields.problem("path_template", "must begin with /");
  const regex = compilePattern(translate(template), fields, "path_template");
  return (path) => regex.matches(path);
}

function translate(template: string): string {
  const plain = template.replace(/\{\w+=([^}]*)\}/g, "$1").replace(/\{\w+\}/g, "*");
  return plain
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? "[^?#]*" : part === "*" ? "[^/?#]+" : part.replace(/[\\.+?()|[\]{}^$]/g, "\\$&")))
    .join("");
}
