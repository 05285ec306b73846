/**
 * The headers that carry a trace from the request that came in to the calls made for it.
 * A mesh can see every hop, but only the application knows which outgoing call belongs to which incoming one.
 * Sources: W3C Trace Context, B3 propagation (single and multi header), Envoy's x-request-id.
 */
import type { IncomingHttpHeaders } from "node:http";

const TRACE_HEADERS = [
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-request-id",
] as const;

export function traceHeadersOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of TRACE_HEADERS) {
    const value = headers[name];
    if (typeof value === "string") kept[name] = value;
  }
  return kept;
}

/** The trace id of a request, from whichever propagation it uses; undefined without one. */
export function traceIdOf(trace: Readonly<Record<string, string>>): string | undefined {
  const w3c = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(trace.traceparent ?? "")?.[1];
  return w3c ?? trace["x-b3-traceid"] ?? trace.b3?.split("-")[0];
}
