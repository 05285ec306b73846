/**
 * Envoy's format strings (`%REQ(X?Y):Z%`, `%START_TIME(%Y)%`, …), compiled once to an array of literals and readers.
 * An unknown operator is a Problem, so a listener with a bad format is rejected as Envoy rejects it. Text from the wire is escaped so that
 * a header, path or SNI can never start a new log line.
 * Operators: https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/observability/access_log/usage
 */
import { err, ok, type Problem, type Result } from "@argyle/core";
import { compileOperator, isPlainReader, type Reader } from "./operators.ts";
import type { StreamRecord } from "./stream-record.ts";

export type Formatter = (record: StreamRecord) => string;

/** Istio's default text log, pilot/pkg/model/telemetry_logging.go. */
export const ISTIO_DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% " +
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ' +
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" ' +
  "%UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% " +
  "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

export const ENVOY_DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

export interface FormatOptions {
  /** What a missing value prints as. `-` in logs, the empty string in headers. */
  readonly missing?: string;
}

export function compileTextFormat(format: string, options: FormatOptions = {}): Result<Formatter> {
  const problems: Problem[] = [];
  const parts = parseFormat(format, problems);
  if (problems.length > 0) return err(problems);
  const missing = options.missing ?? "-";
  const only = parts[0];
  if (parts.length === 1 && typeof only === "string") return ok(() => only);
  return ok(joinParts(parts, missing));
}

/** A JSON object whose string leaves are formats; a leaf that is one operator keeps its type (numbers, null when missing). */
export function compileJsonFormat(format: object, options: { readonly omitEmpty?: boolean } = {}): Result<Formatter> {
  const problems: Problem[] = [];
  const omitEmpty = options.omitEmpty === true;
  const root = compileNode(format, problems, omitEmpty);
  return problems.length > 0 ? err(problems) : ok((record) => `${JSON.stringify(root(record))}\n`);
}

type Node = (record: StreamRecord) => unknown;

function compileNode(value: unknown, problems: Problem[], omitEmpty: boolean): Node {
  if (typeof value === "string") return compileLeaf(value, problems);
  if (Array.isArray(value)) {
    const nodes = value.map((item) => compileNode(item, problems, omitEmpty));
    return (record) => nodes.map((node) => node(record));
  }
  if (typeof value !== "object" || value === null) return () => value;
  // Envoy sorts the keys of a JSON log.
  const entries = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, compileNode(inner, problems, omitEmpty)] as const);
  return (record) => {
    const out: Record<string, unknown> = {};
    for (const [key, node] of entries) {
      const got = node(record) ?? null;
      if (!omitEmpty || got !== null) out[key] = got;
    }
    return out;
  };
}

function compileLeaf(format: string, problems: Problem[]): Node {
  const parts = parseFormat(format, problems);
  const only = parts[0];
  if (parts.length === 1 && typeof only === "function") return only;
  return joinParts(parts, "-");
}

/** One string of literals and values. */
function joinParts(parts: readonly (string | Reader)[], missing: string): Formatter {
  const texts = parts.map((part) => (typeof part === "string" ? () => part : textOf(part, missing)));
  // hot: every line of an access log.
  return (record) => {
    let text = "";
    for (let i = 0; i < texts.length; i++) text += texts[i]?.(record);
    return text;
  };
}

function textOf(read: Reader, missing: string): Formatter {
  const isPlain = isPlainReader(read);
  // Most values are those of the line before: names of clusters and routes, addresses, details.
  let last = "";
  let lastText = "";
  return (record) => {
    const value = read(record);
    if (value === undefined || value === null || value === "") return missing;
    if (typeof value !== "string") return typeof value === "object" ? JSON.stringify(value) : String(value);
    if (isPlain) return value;
    if (value !== last) {
      last = value;
      lastText = CONTROL.test(value) ? escapeControl(value) : value;
    }
    return lastText;
  };
}

const CONTROL = /[\u0000-\u001f\u007f"]/;

function escapeControl(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f"]/g, (c) =>
    c === '"' ? '\\"' : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

function parseFormat(format: string, problems: Problem[]): (string | Reader)[] {
  const parts: (string | Reader)[] = [];
  let literal = "";
  let i = 0;
  while (i < format.length) {
    const c = format[i] ?? "";
    if (c !== "%") {
      literal += c;
      i += 1;
      continue;
    }
    if (format[i + 1] === "%") {
      literal += "%";
      i += 2;
      continue;
    }
    const match = /^%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?%/.exec(format.slice(i));
    if (match === null) {
      problems.push({
        path: format,
        message: `incorrect access log configuration. Couldn't find valid command at position ${i}`,
      });
      return parts;
    }
    const reader = compileOperator(match[1] ?? "", match[2], match[3] === undefined ? undefined : Number(match[3]));
    if (reader === undefined)
      problems.push({ path: format, message: `not supported field in StreamInfo: ${match[1]}` });
    else {
      if (literal !== "") parts.push(literal);
      literal = "";
      parts.push(reader);
    }
    i += match[0].length;
  }
  if (literal !== "" || parts.length === 0) parts.push(literal);
  return parts;
}
