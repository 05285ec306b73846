/** Envoy's `http.<stat_prefix>.*` statistics. */
import type { Counter, Registry } from "@argyle/telemetry";
import type { HcmStats } from "../http/http-context.ts";
import { createHttp2Stats } from "./http2-stats.ts";

/** `listener` is the address that listener statistics go by: classes of responses are counted for it as well. */
export function createHcmStats(registry: Registry, prefix: string, listener: string): HcmStats {
  const options = (name: string) => ({
    name: `envoy_http_${name}`,
    labels: ["envoy_http_conn_manager_prefix"],
    statName: ([value]: readonly string[]) => `http.${value}.${name}`,
  });
  const classes = registry.counter({
    name: "envoy_http_downstream_rq_xx",
    labels: ["envoy_response_code_class", "envoy_http_conn_manager_prefix"],
    statName: ([code, value]) => `http.${value}.downstream_rq_${code}xx`,
  });
  const ofListener = registry.counter({
    name: "envoy_listener_http_downstream_rq_xx",
    labels: ["envoy_response_code_class", "envoy_http_conn_manager_prefix", "envoy_listener_address"],
    statName: ([code, value, address]) => `listener.${address}.http.${value}.downstream_rq_${code}xx`,
  });
  const byClass = (cellOf: (code: string) => Counter) => [undefined, ...[..."12345"].map(cellOf)];
  const codec = (name: string) => ({
    name: `envoy_http2_${name}`,
    labels: [],
    statName: () => `http2.${name}`,
  });
  return {
    http2: createHttp2Stats(
      (name) => registry.counter(codec(name)).cell(),
      (name) => registry.gauge(codec(name)).cell(),
    ),
    cxHttp2Total: registry.counter(options("downstream_cx_http2_total")).cell(prefix),
    cxHttp2Active: registry.gauge(options("downstream_cx_http2_active")).cell(prefix),
    rqHttp2Total: registry.counter(options("downstream_rq_http2_total")).cell(prefix),
    cxTotal: registry.counter(options("downstream_cx_total")).cell(prefix),
    cxActive: registry.gauge(options("downstream_cx_active")).cell(prefix),
    rqTotal: registry.counter(options("downstream_rq_total")).cell(prefix),
    rqActive: registry.gauge(options("downstream_rq_active")).cell(prefix),
    rqByClass: byClass((code) => classes.cell(code, prefix)),
    listenerRqByClass: byClass((code) => ofListener.cell(code, prefix, listener)),
    rqTime: registry.histogram(options("downstream_rq_time")).cell(prefix),
    rqRxReset: registry.counter(options("downstream_rq_rx_reset")).cell(prefix),
    rqTimeout: registry.counter(options("downstream_rq_timeout")).cell(prefix),
    cxProtocolError: registry.counter(options("downstream_cx_protocol_error")).cell(prefix),
  };
}
