/**
 * envoy.config.core.v3.Http2ProtocolOptions, compiled: what one HTTP/2 connection, of a client or to an upstream host, is made with.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/core/v3/protocol.proto#config-core-v3-http2protocoloptions
 */
import { DEFAULT_HTTP2_SETTINGS, ENVOY_HTTP2_LIMITS, type Http2Limits, type Http2Settings } from "@argyle/codec";
import type { Fields } from "./fields.ts";

export interface Http2Config {
  readonly settings: Http2Settings;
  readonly limits: Http2Limits;
  /** Streams that we open on one upstream connection at most, whatever the server allows. */
  readonly maxStreams: number;
  /** Undefined: no PINGs. */
  readonly keepalive: KeepaliveConfig | undefined;
}

export interface KeepaliveConfig {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/**
 * Envoy's own windows (16 MiB and more) suit a data centre; here a slow peer may hold one stream's window per stream and the connection's for all.
 * A stream that is not read must not starve the others, so the connection's is the larger by far.
 */
const CONNECTION_WINDOW = 4 * 1024 * 1024;

export function compileHttp2(fields: Fields | undefined, maxHeadBytes: number, maxHeaders: number): Http2Config {
  const defaults = ENVOY_HTTP2_LIMITS;
  const number = (name: string, fallback: number) => fields?.number(name, fallback) ?? fallback;
  const keepalive = fields?.object("connection_keepalive");
  return {
    settings: {
      headerTableSize: number("hpack_table_size", DEFAULT_HTTP2_SETTINGS.headerTableSize),
      maxConcurrentStreams: number("max_concurrent_streams", DEFAULT_HTTP2_SETTINGS.maxConcurrentStreams),
      initialStreamWindow: number("initial_stream_window_size", DEFAULT_HTTP2_SETTINGS.initialStreamWindow),
      initialConnectionWindow: number("initial_connection_window_size", CONNECTION_WINDOW),
      enableConnectProtocol: fields?.boolean("allow_connect") ?? false,
    },
    limits: {
      ...defaults,
      maxHeaderListBytes: maxHeadBytes,
      maxHeaders,
      maxOutboundFrames: number("max_outbound_frames", defaults.maxOutboundFrames),
      maxOutboundControlFrames: number("max_outbound_control_frames", defaults.maxOutboundControlFrames),
      maxConsecutiveInboundFramesWithEmptyPayload: number(
        "max_consecutive_inbound_frames_with_empty_payload",
        defaults.maxConsecutiveInboundFramesWithEmptyPayload,
      ),
      maxInboundPriorityFramesPerStream: number(
        "max_inbound_priority_frames_per_stream",
        defaults.maxInboundPriorityFramesPerStream,
      ),
      maxInboundWindowUpdateFramesPerDataFrameSent: number(
        "max_inbound_window_update_frames_per_data_frame_sent",
        defaults.maxInboundWindowUpdateFramesPerDataFrameSent,
      ),
    },
    maxStreams: number("max_concurrent_streams", Number.MAX_SAFE_INTEGER),
    keepalive:
      keepalive === undefined
        ? undefined
        : {
            intervalMs: keepalive.duration("interval", 0),
            timeoutMs: keepalive.duration("timeout", 0),
          },
  };
}
