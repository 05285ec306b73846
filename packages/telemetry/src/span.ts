/** A finished span as the proxy records it; exporters (Zipkin v2 JSON, OTLP) translate it. Ids are lower-case hex. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly kind: "client" | "server";
  readonly name: string;
  readonly startTimeMs: number;
  readonly durationMs: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

export interface SpanExporter {
  record(span: Span): void;
}
