/**
 * What one connection is made with. Limits have Envoy's names and defaults; what Envoy does not limit has nghttp2's.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/core/v3/protocol.proto#config-core-v3-http2protocoloptions
 */
export interface Http2Limits {
  /** Names, values and 32 a field, of one head or trailers. Envoy: 60 KiB. Also bounds the compressed block. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaders: number;
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  readonly maxConsecutiveInboundFramesWithEmptyPayload: number;
  readonly maxInboundPriorityFramesPerStream: number;
  readonly maxInboundWindowUpdateFramesPerDataFrameSent: number;
  /** Streams of a connection after which more than half reset prematurely is an attack (rapid reset, CVE-2023-44487). */
  readonly prematureResetTotalStreamCount: number;
  readonly prematureResetMinStreamLifetimeMs: number;
  readonly maxContinuationFrames: number;
  readonly maxSettingsPerFrame: number;
}

export const ENVOY_HTTP2_LIMITS: Http2Limits = {
  maxHeaderListBytes: 60 * 1024,
  maxHeaders: 100,
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1000,
  maxConsecutiveInboundFramesWithEmptyPayload: 1,
  maxInboundPriorityFramesPerStream: 100,
  maxInboundWindowUpdateFramesPerDataFrameSent: 10,
  prematureResetTotalStreamCount: 500,
  prematureResetMinStreamLifetimeMs: 1000,
  maxContinuationFrames: 8,
  maxSettingsPerFrame: 32,
};

/** What we allow the peer. */
export interface Http2Settings {
  readonly headerTableSize: number;
  /** Streams that the peer may have open; server only. */
  readonly maxConcurrentStreams: number;
  /** Bytes a stream may send before the first consume(): what the proxy is ready to hold for it. */
  readonly initialStreamWindow: number;
  /** The same for all streams together; at least 65535. */
  readonly initialConnectionWindow: number;
  /** Extended CONNECT (RFC 8441); server only. */
  readonly enableConnectProtocol: boolean;
}

export const DEFAULT_HTTP2_SETTINGS: Http2Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 1024,
  initialStreamWindow: 256 * 1024,
  initialConnectionWindow: 1024 * 1024,
  enableConnectProtocol: false,
};

export interface Http2Options {
  readonly settings?: Partial<Http2Settings>;
  readonly limits?: Partial<Http2Limits>;
  /** Milliseconds that only grow: tells premature resets. */
  readonly monotonic: () => number;
}
