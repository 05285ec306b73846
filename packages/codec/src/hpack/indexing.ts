/**
 * Which fields the encoder puts into its table. Sensitive ones are never indexed, neither here nor further on (RFC 7541 §7.1.3); ones that
 * differ in every message are sent as plain literals, because they would push the useful ones out.
 */
export type Indexing = "index" | "plain" | "never";

const NAMES: ReadonlyMap<string, Indexing> = new Map<string, Indexing>([
  ["authorization", "never"],
  ["proxy-authorization", "never"],
  ...[
    ":path",
    "age",
    "content-length",
    "content-range",
    "etag",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "last-modified",
    "location",
    "range",
    "set-cookie",
    "x-request-id",
    "x-client-trace-id",
    "x-correlation-id",
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "uber-trace-id",
    "x-cloud-trace-context",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-ot-span-context",
    "grpc-timeout",
    "grpc-message",
    "x-envoy-upstream-service-time",
    "x-envoy-expected-rq-timeout-ms",
  ].map((name) => [name, "plain"] as const),
]);
/** A cookie this short can be guessed by trying (nghttp2 draws the line here too). */
const SHORT_COOKIE = 20;

export function indexingOf(name: string, value: string): Indexing {
  if (name === "cookie") return value.length < SHORT_COOKIE ? "never" : "index";
  return NAMES.get(name) ?? "index";
}
