/** envoy.config.accesslog.v3.AccessLog: file, stdout and stderr loggers with text or JSON formats, and the filters that decide what is logged. */
import {
  compileJsonFormat,
  compileTextFormat,
  ENVOY_DEFAULT_FORMAT,
  type Formatter,
  type StreamRecord,
} from "@argyle/telemetry";
import type { Fields } from "./fields.ts";
import { compileFraction, isInFraction } from "./fraction.ts";
import { compileHeaderMatcher } from "./header-matcher.ts";

export interface AccessLogConfig {
  /** `/dev/stdout` is the proxy's own log. */
  readonly path: string;
  readonly format: Formatter;
  readonly accepts: (record: StreamRecord) => boolean;
}

export function compileAccessLogs(list: readonly Fields[]): readonly AccessLogConfig[] {
  return list.flatMap((fields) => {
    const config = fields.object("typed_config");
    const filter = fields.object("filter");
    const accepts = filter === undefined ? () => true : compileFilter(filter);
    if (config === undefined) {
      fields.problem("typed_config", "value is required");
      return [];
    }
    const type = config.typeName();
    const path = PATHS[type] ?? config.string("path");
    if (!type.startsWith("envoy.extensions.access_loggers.")) {
      config.problem("", `unsupported access logger ${type}`);
      return [];
    }
    // gRPC access log services (ALS, OpenTelemetry) have no exporter here yet: they are refused, not ignored.
    if (PATHS[type] === undefined && !type.endsWith("file.v3.FileAccessLog")) {
      config.problem("", `unsupported access logger ${type}`);
      return [];
    }
    const format = compileFormat(config);
    return format === undefined ? [] : [{ path, format, accepts }];
  });
}

const PATHS: Readonly<Record<string, string>> = {
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": "/dev/stdout",
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": "/dev/stderr",
};

function compileFormat(config: Fields): Formatter | undefined {
  const log = config.object("log_format");
  const text =
    log?.object("text_format_source")?.string("inline_string") ??
    (log?.has("text_format") === true ? log.string("text_format") : undefined) ??
    (config.has("format") ? config.string("format") : undefined);
  const json = log?.object("json_format") ?? config.object("json_format") ?? config.object("typed_json_format");
  const compiled =
    json !== undefined
      ? compileJsonFormat(json.raw, { omitEmpty: log?.boolean("omit_empty_values") === true })
      : compileTextFormat(
          text ?? ENVOY_DEFAULT_FORMAT,
          log?.boolean("omit_empty_values") === true ? { missing: "" } : {},
        );
  if (compiled.ok) return compiled.value;
  for (const problem of compiled.error) config.problem("log_format", problem.message);
  return undefined;
}

type Filter = (record: StreamRecord) => boolean;

function compileFilter(fields: Fields): Filter {
  const status = fields.object("status_code_filter")?.object("comparison");
  if (status !== undefined) return compileComparison(status, (record) => record.responseCode);
  const duration = fields.object("duration_filter")?.object("comparison");
  if (duration !== undefined) return compileComparison(duration, (record) => record.durationMs ?? 0);
  const and = fields.object("and_filter");
  if (and !== undefined) {
    const parts = and.list("filters").map(compileFilter);
    return (record) => parts.every((part) => part(record));
  }
  const or = fields.object("or_filter");
  if (or !== undefined) {
    const parts = or.list("filters").map(compileFilter);
    return (record) => parts.some((part) => part(record));
  }
  const flags = fields.object("response_flag_filter");
  if (flags !== undefined) {
    const wanted = flags.strings("flags");
    return ({ responseFlags }) =>
      responseFlags !== "-" && (wanted.length === 0 || responseFlags.split(",").some((flag) => wanted.includes(flag)));
  }
  const header = fields.object("header_filter")?.object("header");
  if (header !== undefined) {
    const test = compileHeaderMatcher(header);
    return (record) => {
      const headers = record.requestHeaders;
      if (headers === undefined) return false;
      const { method, path, authority, scheme } = record;
      // The record's headers are the request's HeaderBlock; matchers only read it.
      return test({ method, path, authority, scheme, headers: headers as Parameters<typeof test>[0]["headers"] });
    };
  }
  const runtime = fields.object("runtime_filter")?.object("percent_sampled");
  if (runtime !== undefined) {
    const fraction = compileFraction(runtime);
    return () => isInFraction(fraction, Math.floor(Math.random() * 1e9));
  }
  if (fields.has("not_health_check_filter") || fields.has("traceable_filter")) return () => true;
  fields.problem("", `unsupported access log filter ${Object.keys(fields.raw).join(", ")}`);
  return () => true;
}

function compileComparison(fields: Fields, read: (record: StreamRecord) => number): Filter {
  const op = fields.enumeration("op", ["EQ", "GE", "LE", "NE"], "EQ");
  const value = fields.object("value")?.number("default_value", 0) ?? 0;
  switch (op) {
    case "EQ":
      return (record) => read(record) === value;
    case "GE":
      return (record) => read(record) >= value;
    case "LE":
      return (record) => read(record) <= value;
    case "NE":
      return (record) => read(record) !== value;
  }
}
