/**
 * What is known about one HTTP stream or TCP connection: the source of access log lines, of `%…%` header values and of metrics.
 * The proxy fills one such record per stream; formats read it through accessors compiled once.
 * Names follow Envoy's StreamInfo: https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/observability/access_log/usage
 */
export interface HeaderSource {
  get(name: string): string | undefined;
}

export interface StreamRecord {
  readonly requestHeaders: HeaderSource | undefined;
  readonly responseHeaders: HeaderSource | undefined;
  readonly responseTrailers: HeaderSource | undefined;
  readonly method: string;
  /** With query; as the client sent it when no rewrite took place. */
  readonly path: string;
  readonly originalPath: string | undefined;
  readonly authority: string;
  readonly scheme: string;
  /** `HTTP/1.1`, `HTTP/2`, or `-` for a TCP connection. */
  readonly protocol: string;
  readonly startTimeMs: number;
  readonly durationMs: number | undefined;
  readonly requestDurationMs: number | undefined;
  readonly responseDurationMs: number | undefined;
  readonly responseTxDurationMs: number | undefined;
  readonly responseCode: number;
  readonly responseFlags: string;
  readonly responseCodeDetails: string | undefined;
  readonly connectionTerminationDetails: string | undefined;
  readonly upstreamTransportFailureReason: string | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstreamHost: string | undefined;
  readonly upstreamCluster: string | undefined;
  readonly upstreamLocalAddress: string | undefined;
  readonly upstreamRequestAttemptCount: number;
  readonly downstreamLocalAddress: string | undefined;
  readonly downstreamRemoteAddress: string | undefined;
  readonly downstreamDirectRemoteAddress: string | undefined;
  readonly requestedServerName: string | undefined;
  readonly routeName: string | undefined;
  readonly connectionId: number;
  readonly downstreamPeerUriSan: string | undefined;
  readonly downstreamLocalUriSan: string | undefined;
  readonly downstreamPeerSubject: string | undefined;
  readonly downstreamTlsVersion: string | undefined;
  readonly downstreamTlsCipher: string | undefined;
  dynamicMetadata(namespace: string, path: readonly string[]): unknown;
  filterState(key: string): string | undefined;
}
