/**
 * request_headers_to_add / _to_remove and their response twins of routes, weighted clusters, virtual hosts and route configurations.
 * Values are access-log formats, compiled once. Order of use is route first, then virtual host, then route configuration, unless the
 * configuration says most_specific_header_mutations_wins.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/headers#custom-request-response-headers
 */
import type { HeaderBlock } from "@argyle/codec";
import { compileTextFormat, type Formatter, type StreamRecord } from "@argyle/telemetry";
import type { Fields } from "./fields.ts";

export interface HeaderMutation {
  readonly remove: readonly string[];
  readonly add: readonly HeaderAddition[];
}

interface HeaderAddition {
  readonly name: string;
  readonly value: string | Formatter;
  readonly action: (typeof ACTIONS)[number];
  readonly keepEmpty: boolean;
}

const ACTIONS = [
  "APPEND_IF_EXISTS_OR_ADD",
  "ADD_IF_ABSENT",
  "OVERWRITE_IF_EXISTS_OR_ADD",
  "OVERWRITE_IF_EXISTS",
] as const;

/** Where `host` must go instead of among the headers. */
export interface MutationTarget {
  readonly headers: HeaderBlock;
  setAuthority?(value: string): void;
}

export function compileHeaderMutation(fields: Fields, kind: "request" | "response"): HeaderMutation | undefined {
  const add = fields.list(`${kind}_headers_to_add`).map(compileAddition);
  const remove = fields.strings(`${kind}_headers_to_remove`).map((name) => name.toLowerCase());
  for (const name of remove) {
    if (name.startsWith(":") || name === "host")
      fields.problem(`${kind}_headers_to_remove`, ":-prefixed or host headers may not be removed");
  }
  return add.length === 0 && remove.length === 0 ? undefined : { add, remove };
}

function compileAddition(fields: Fields): HeaderAddition {
  const header = fields.object("header") ?? fields;
  const name = header.required("key").toLowerCase();
  const text = header.string("value");
  const legacyAppend = fields.has("append") ? fields.boolean("append") : undefined;
  const action =
    legacyAppend === undefined
      ? fields.enumeration("append_action", ACTIONS, "APPEND_IF_EXISTS_OR_ADD")
      : legacyAppend
        ? "APPEND_IF_EXISTS_OR_ADD"
        : "OVERWRITE_IF_EXISTS_OR_ADD";
  const format = compileTextFormat(text, { missing: "" });
  if (!format.ok) header.problem("value", format.error[0]?.message ?? "bad format");
  const value = format.ok && text.includes("%") ? format.value : text;
  return { name, value, action, keepEmpty: fields.boolean("keep_empty_value") };
}

export function applyHeaderMutation(mutation: HeaderMutation, target: MutationTarget, record: StreamRecord): void {
  for (const name of mutation.remove) target.headers.remove(name);
  for (const { name, value, action, keepEmpty } of mutation.add) {
    const text = typeof value === "string" ? value : value(record);
    if (text === "" && !keepEmpty) continue;
    if (name === "host" || name === ":authority") {
      target.setAuthority?.(text);
      continue;
    }
    if (name.startsWith(":")) continue;
    switch (action) {
      case "APPEND_IF_EXISTS_OR_ADD":
        target.headers.add(name, text);
        break;
      case "ADD_IF_ABSENT":
        if (!target.headers.has(name)) target.headers.add(name, text);
        break;
      case "OVERWRITE_IF_EXISTS_OR_ADD":
        target.headers.set(name, text);
        break;
      case "OVERWRITE_IF_EXISTS":
        if (target.headers.has(name)) target.headers.set(name, text);
        break;
    }
  }
}
