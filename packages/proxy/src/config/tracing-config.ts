/**
 * The tracing of an HTTP connection manager: sampling, tags, and where spans go (Zipkin, or OpenTelemetry over HTTP).
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/trace/v3/trace.proto
 */
import type { Fields } from "./fields.ts";
import { percentOf } from "./fraction.ts";

export interface TracingConfig {
  /** Percentages. */
  readonly clientSampling: number;
  readonly randomSampling: number;
  readonly overallSampling: number;
  readonly maxPathLength: number;
  readonly tags: readonly CustomTag[];
  readonly collector: CollectorConfig | undefined;
}

export type CustomTag =
  | { readonly kind: "literal"; readonly tag: string; readonly value: string }
  | { readonly kind: "header"; readonly tag: string; readonly header: string; readonly fallback: string };

/** Equal configurations of many listeners share one collector. */
export interface CollectorConfig {
  readonly format: "zipkin" | "otlp";
  readonly cluster: string;
  readonly host: string;
  readonly path: string;
  /** What the spans are reported as; undefined: the node's cluster, as Envoy's Zipkin tracer does. */
  readonly serviceName: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
}

export function compileTracing(fields: Fields): TracingConfig {
  return {
    clientSampling: percentOf(fields, "client_sampling") ?? 100,
    randomSampling: percentOf(fields, "random_sampling") ?? 100,
    overallSampling: percentOf(fields, "overall_sampling") ?? 100,
    maxPathLength: fields.number("max_path_tag_length", 256),
    tags: fields.list("custom_tags").flatMap(compileTag),
    collector: compileProvider(fields.object("provider")),
  };
}

function compileTag(fields: Fields): readonly CustomTag[] {
  const tag = fields.required("tag");
  const literal = fields.object("literal");
  if (literal !== undefined) return [{ kind: "literal", tag, value: literal.string("value") }];
  const header = fields.object("request_header");
  if (header !== undefined)
    return [
      { kind: "header", tag, header: header.required("name").toLowerCase(), fallback: header.string("default_value") },
    ];
  // The proxies of one process share its environment, which is not the container's: only the default can be true.
  const environment = fields.object("environment");
  if (environment?.has("default_value") === true)
    return [{ kind: "literal", tag, value: environment.string("default_value") }];
  return [];
}

function compileProvider(fields: Fields | undefined): CollectorConfig | undefined {
  const config = fields?.object("typed_config");
  if (config === undefined) return undefined;
  switch (config.typeName()) {
    case "envoy.config.trace.v3.ZipkinConfig":
      return compileZipkin(config);
    case "envoy.config.trace.v3.OpenTelemetryConfig":
      return compileOpenTelemetry(config);
    default:
      config.problem("", `unsupported tracer ${config.typeName()}`);
      return undefined;
  }
}

function compileZipkin(fields: Fields): CollectorConfig {
  const version = fields.string("collector_endpoint_version", "HTTP_JSON");
  if (version !== "HTTP_JSON" && fields.raw.collector_endpoint_version !== 1)
    fields.problem("collector_endpoint_version", "only HTTP_JSON is supported");
  const cluster = fields.required("collector_cluster");
  return {
    format: "zipkin",
    cluster,
    host: fields.string("collector_hostname") || cluster,
    path: fields.required("collector_endpoint"),
    serviceName: undefined,
    headers: [],
  };
}

function compileOpenTelemetry(fields: Fields): CollectorConfig | undefined {
  const http = fields.object("http_service");
  const uri = http?.object("http_uri");
  if (http === undefined || uri === undefined) {
    fields.problem("http_service", "is required: export over gRPC is not supported");
    return undefined;
  }
  const target = parseUri(uri);
  return {
    format: "otlp",
    cluster: uri.required("cluster"),
    host: target.host,
    path: target.path,
    serviceName: fields.string("service_name") || "unknown_service:envoy",
    headers: http.list("request_headers_to_add").flatMap((item) => {
      const header = item.object("header");
      return header === undefined ? [] : [[header.required("key").toLowerCase(), header.string("value")] as const];
    }),
  };
}

function parseUri(fields: Fields): { readonly host: string; readonly path: string } {
  const text = fields.required("uri");
  const match = /^(?:https?:\/\/)?([^/]+)(\/.*)?$/.exec(text);
  if (match === null) fields.problem("uri", "must be a URI with a host");
  return { host: match?.[1] ?? "", path: match?.[2] ?? "/v1/traces" };
}
