/** Envoy's `tracing.<tracer>.*` statistics, and the spans that never left. */
import type { Counter, Registry } from "@argyle/telemetry";
import type { CollectorConfig } from "../config/tracing-config.ts";
import type { SendResult } from "./span-queue.ts";

export interface TracingStats {
  readonly timerFlushed: Counter;
  readonly spansDropped: Counter;
  report(result: SendResult, spans: number): void;
}

export function createTracingStats(registry: Registry, format: CollectorConfig["format"]): TracingStats {
  const tracer = format === "zipkin" ? "zipkin" : "opentelemetry";
  const counter = (name: string) =>
    registry.counter({ name: `envoy_tracing_${tracer}_${name}`, statName: () => `tracing.${tracer}.${name}` }).cell();
  const spansSent = counter("spans_sent");
  const spansDropped = counter("spans_dropped");
  const reports: Readonly<Record<SendResult, Counter>> = {
    sent: counter("reports_sent"),
    "no-cluster": counter("reports_skipped_no_cluster"),
    rejected: counter("reports_dropped"),
    failed: counter("reports_failed"),
  };
  return {
    timerFlushed: counter("timer_flushed"),
    spansDropped,
    report(result, spans) {
      reports[result].add(1);
      (result === "sent" ? spansSent : spansDropped).add(spans);
    },
  };
}
