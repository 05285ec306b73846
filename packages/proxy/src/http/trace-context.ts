/**
 * Trace propagation: W3C traceparent and B3 (single and multiple headers) are honoured, a span of ours is put in between, and a trace is begun
 * (B3, as Envoy's Zipkin tracer does) when the request has none. The decision to sample is the caller's where it made one.
 * https://www.w3.org/TR/trace-context/ https://github.com/openzipkin/b3-propagation
 */
import type { HeaderBlock } from "@argyle/codec";

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly isSampled: boolean;
}

export interface TraceSource {
  /** `bytes` random bytes as lower-case hex. */
  randomHex(bytes: number): string;
  /** In [0, 1). */
  random(): number;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

/** Reads the caller's context, makes our span's, and rewrites the headers for the next hop. */
export function propagateTrace(headers: HeaderBlock, samplingPercent: number, source: TraceSource): TraceContext {
  const spanId = source.randomHex(8);
  const parent = headers.get("traceparent");
  const traceparent = parent === undefined ? null : TRACEPARENT.exec(parent);
  if (traceparent !== null) {
    const [, traceId = "", parentSpanId = "", flags = "00"] = traceparent;
    headers.setOwn("traceparent", `00-${traceId}-${spanId}-${flags}`);
    const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
    if (headers.has("x-b3-traceid")) setB3(headers, { traceId, spanId, parentSpanId, isSampled });
    return { traceId, spanId, parentSpanId, isSampled };
  }
  const b3 = headers.get("b3");
  // hot: the first proxy of a trace.
  if (b3 === undefined && !headers.has("x-b3-traceid") && !headers.has("x-b3-sampled")) {
    const isSampled = source.random() * 100 < samplingPercent;
    const context = { traceId: source.randomHex(16), spanId, parentSpanId: undefined, isSampled };
    setB3(headers, context);
    return context;
  }
  const single = b3?.split("-");
  const multiple = [headers.get("x-b3-traceid"), headers.get("x-b3-spanid"), headers.get("x-b3-sampled")];
  const [traceId = "", parentSpanId = "", sampled] = single !== undefined && single.length > 1 ? single : multiple;
  const decision = sampled ?? (single?.length === 1 ? single[0] : undefined);
  const isSampled =
    decision === undefined
      ? source.random() * 100 < samplingPercent
      : decision === "1" || decision === "d" || decision === "true";
  const isKnown = TRACE_ID.test(traceId) && SPAN_ID.test(parentSpanId);
  const context: TraceContext = isKnown
    ? { traceId, spanId, parentSpanId, isSampled }
    : { traceId: source.randomHex(16), spanId, parentSpanId: undefined, isSampled };
  if (single !== undefined) {
    const parent = context.parentSpanId === undefined ? "" : `-${context.parentSpanId}`;
    headers.set("b3", `${context.traceId}-${spanId}-${isSampled ? "1" : "0"}${parent}`);
  } else setB3(headers, context);
  return context;
}

/** All ids were checked or are ours. */
function setB3(headers: HeaderBlock, context: TraceContext): void {
  headers.setOwn("x-b3-traceid", context.traceId);
  headers.setOwn("x-b3-spanid", context.spanId);
  if (context.parentSpanId === undefined) headers.remove("x-b3-parentspanid");
  else headers.setOwn("x-b3-parentspanid", context.parentSpanId);
  headers.setOwn("x-b3-sampled", context.isSampled ? "1" : "0");
}
