/** Spans of one proxy: adds itself to the telemetry of the connection managers that have a collector; one queue for each collector. */
import type { Registry } from "@argyle/telemetry";
import type { HcmConfig } from "../config/hcm-config.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { CollectorConfig } from "../config/tracing-config.ts";
import type { Snapshot } from "../http/http-context.ts";
import type { TimerWheel } from "../io/timer-wheel.ts";
import type { NodeIdentity } from "../proxy-deps.ts";
import type { HttpTelemetry } from "../stats/http-telemetry.ts";
import { encodeOtlp, encodeZipkin } from "./span-json.ts";
import { postSpans } from "./span-post.ts";
import { SpanQueue } from "./span-queue.ts";
import { type SpanOrigin, spanOf } from "./stream-span.ts";
import { createTracingStats } from "./tracing-stats.ts";

export interface Tracing {
  /** `inner` with a span for each sampled request, or as it is where nothing collects. */
  extend(
    inner: HttpTelemetry | undefined,
    config: HcmConfig,
    direction: ListenerConfig["direction"],
  ): HttpTelemetry | undefined;
  close(): void;
}

export interface TracingOptions {
  readonly registry: Registry;
  readonly wheel: TimerWheel;
  readonly node: NodeIdentity;
  readonly snapshot: () => Snapshot;
}

const NOTHING: HttpTelemetry = {
  onRequest: () => undefined,
  onUpstreamRequest: () => undefined,
  onResponse: () => undefined,
  onComplete: () => undefined,
};

export function createTracing(options: TracingOptions): Tracing {
  const { registry, wheel, node, snapshot } = options;
  const queues = new Map<string, SpanQueue>();
  const [, nodeIp] = node.id.split("~");
  const ipv4 = nodeIp !== undefined && /^\d+(\.\d+){3}$/.test(nodeIp) ? nodeIp : undefined;

  const queueOf = (collector: CollectorConfig): SpanQueue => {
    const key = JSON.stringify(collector);
    let queue = queues.get(key);
    if (queue === undefined) {
      queue = new SpanQueue({
        wheel,
        stats: createTracingStats(registry, collector.format),
        send(spans, done) {
          const cluster = snapshot().clusters.get(collector.cluster);
          if (cluster === undefined) {
            done("no-cluster");
            return;
          }
          const body = collector.format === "zipkin" ? encodeZipkin(spans, ipv4) : encodeOtlp(spans);
          postSpans(cluster, { host: collector.host, path: collector.path, headers: collector.headers, body }, done);
        },
      });
      queues.set(key, queue);
    }
    return queue;
  };

  return {
    extend(inner, config, direction) {
      const { tracing } = config;
      if (tracing?.collector === undefined) return inner;
      const queue = queueOf(tracing.collector);
      const origin: SpanOrigin = {
        config: tracing,
        kind: direction === "INBOUND" ? "server" : "client",
        serviceName: tracing.collector.serviceName ?? node.cluster,
        nodeId: node.id,
      };
      const before = inner ?? NOTHING;
      return {
        ...before,
        onComplete(stream) {
          before.onComplete(stream);
          const { trace, state } = stream;
          if (trace?.isSampled === true)
            queue.add(spanOf({ state, trace, operation: stream.route?.operation }, origin));
        },
      };
    },
    close() {
      for (const queue of queues.values()) queue.close();
    },
  };
}
