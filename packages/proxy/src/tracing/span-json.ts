/**
 * Batches of spans as JSON: Zipkin v2 (POST /api/v2/spans) and OTLP/HTTP (POST /v1/traces). Pure.
 * https://zipkin.io/zipkin-api/#/default/post_spans  https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import type { Span } from "@argyle/telemetry";

export function encodeZipkin(spans: readonly Span[], ipv4: string | undefined): string {
  return JSON.stringify(
    spans.map((span) => ({
      id: span.spanId,
      traceId: span.traceId,
      parentId: span.parentSpanId,
      name: span.name,
      kind: span.kind === "server" ? "SERVER" : "CLIENT",
      timestamp: Math.round(span.startTimeMs * 1000),
      duration: Math.max(1, Math.round(span.durationMs * 1000)),
      localEndpoint: { serviceName: span.serviceName, ipv4 },
      tags: span.tags,
    })),
  );
}

const SPAN_KIND = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

export function encodeOtlp(spans: readonly Span[]): string {
  const services = new Map<string, Span[]>();
  for (const span of spans) {
    const known = services.get(span.serviceName);
    if (known === undefined) services.set(span.serviceName, [span]);
    else known.push(span);
  }
  return JSON.stringify({
    resourceSpans: [...services].map(([service, own]) => ({
      resource: { attributes: [attribute("service.name", service)] },
      scopeSpans: [{ scope: { name: "envoy" }, spans: own.map(otlpSpan) }],
    })),
  });
}

function otlpSpan(span: Span): object {
  return {
    // OTLP ids have fixed lengths; B3 also knows trace ids of 64 bits.
    traceId: span.traceId.padStart(32, "0"),
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: SPAN_KIND[span.kind],
    startTimeUnixNano: nanos(span.startTimeMs),
    endTimeUnixNano: nanos(span.startTimeMs + span.durationMs),
    attributes: Object.entries(span.tags).map(([key, value]) => attribute(key, value)),
    status: span.tags.error === "true" ? { code: STATUS_ERROR } : {},
  };
}

function attribute(key: string, value: string): object {
  return { key, value: { stringValue: value } };
}

/** 64-bit numbers are strings in protobuf's JSON; a double would lose the last digits. */
function nanos(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}
