/** Envoy's `http2.*` codec statistics: one set for all client connections, one per cluster. */
import type { Counter, Gauge } from "@argyle/telemetry";

export interface Http2Stats {
  readonly streamsActive: Gauge;
  readonly rxReset: Counter;
  readonly txReset: Counter;
  readonly goawaySent: Counter;
  readonly rxMessagingError: Counter;
  readonly keepaliveTimeout: Counter;
  readonly trailers: Counter;
  /** `details` of a connection error; counted where it is a flood. */
  flood(details: string): void;
}

export function createHttp2Stats(counter: (name: string) => Counter, gauge: (name: string) => Gauge): Http2Stats {
  const floods: Readonly<Record<string, Counter>> = {
    "http2.inbound_empty_frames_flood": counter("inbound_empty_frames_flood"),
    "http2.inbound_priority_frames_flood": counter("inbound_priority_frames_flood"),
    "http2.inbound_window_update_frames_flood": counter("inbound_window_update_frames_flood"),
    "http2.outbound_frames_flood": counter("outbound_flood"),
    "http2.outbound_control_frames_flood": counter("outbound_control_flood"),
    "http2.headers_too_large": counter("header_overflow"),
  };
  return {
    streamsActive: gauge("streams_active"),
    rxReset: counter("rx_reset"),
    txReset: counter("tx_reset"),
    goawaySent: counter("goaway_sent"),
    rxMessagingError: counter("rx_messaging_error"),
    keepaliveTimeout: counter("keepalive_timeout"),
    trailers: counter("trailers"),
    flood: (details) => floods[details]?.add(1),
  };
}
