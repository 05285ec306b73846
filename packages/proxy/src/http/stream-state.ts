/** Everything known about one HTTP stream, filled as it goes: what access logs, header formats and metrics read. */
import type { HeaderBlock } from "@argyle/codec";
import type { StreamRecord } from "@argyle/telemetry";
import type { RequestView } from "../config/header-matcher.ts";
import type { DownstreamFacts } from "./downstream-facts.ts";

export class StreamState implements StreamRecord, RequestView {
  readonly downstream: DownstreamFacts;
  readonly startTimeMs: number;
  readonly startedAt: number;
  readonly headers: HeaderBlock;
  readonly protocol: string;
  method: string;
  path: string;
  originalPath: string | undefined;
  authority: string;
  scheme = "http";
  responseHeaders: HeaderBlock | undefined;
  responseTrailers: HeaderBlock | undefined;
  durationMs: number | undefined;
  requestDurationMs: number | undefined;
  responseDurationMs: number | undefined;
  responseTxDurationMs: number | undefined;
  responseCode = 0;
  responseFlags = "-";
  responseCodeDetails: string | undefined;
  connectionTerminationDetails: string | undefined;
  upstreamTransportFailureReason: string | undefined;
  bytesReceived = 0;
  bytesSent = 0;
  upstreamHost: string | undefined;
  upstreamCluster: string | undefined;
  upstreamLocalAddress: string | undefined;
  upstreamRequestAttemptCount = 0;
  routeName: string | undefined;
  /** After X-Forwarded-For was believed. */
  remoteAddress: string | undefined;
  isInternal = false;
  #metadata: Map<string, Readonly<Record<string, unknown>>> | undefined;

  constructor(
    downstream: DownstreamFacts,
    headers: HeaderBlock,
    method: string,
    path: string,
    protocol: string,
    startTimeMs: number,
    startedAt: number,
  ) {
    this.downstream = downstream;
    this.headers = headers;
    this.method = method;
    this.path = path;
    this.authority = headers.get("host") ?? "";
    this.protocol = protocol;
    this.startTimeMs = startTimeMs;
    this.startedAt = startedAt;
  }

  get isHttp2(): boolean {
    return this.protocol === "HTTP/2";
  }
  get requestHeaders(): HeaderBlock {
    return this.headers;
  }
  get connectionId(): number {
    return this.downstream.id;
  }
  get downstreamLocalAddress(): string {
    return this.downstream.localAddress;
  }
  get downstreamRemoteAddress(): string {
    return this.remoteAddress ?? this.downstream.remoteAddress;
  }
  get downstreamDirectRemoteAddress(): string {
    return this.downstream.remoteAddress;
  }
  get requestedServerName(): string | undefined {
    return this.downstream.serverName === "" ? undefined : this.downstream.serverName;
  }
  get downstreamPeerUriSan(): string | undefined {
    return this.downstream.tls?.peer?.principal;
  }
  get downstreamLocalUriSan(): string | undefined {
    return this.downstream.tls?.localPrincipal;
  }
  get downstreamPeerSubject(): string | undefined {
    return this.downstream.tls?.peer?.subject;
  }
  get downstreamTlsVersion(): string | undefined {
    return this.downstream.tls?.version;
  }
  get downstreamTlsCipher(): string | undefined {
    return this.downstream.tls?.cipher;
  }

  /** Where a header mutation of `host` goes. */
  setAuthority(value: string): void {
    this.authority = value;
    this.headers.set("host", value);
  }

  addFlag(flag: string): void {
    if (this.responseFlags === "-") this.responseFlags = flag;
    else if (!this.responseFlags.split(",").includes(flag)) this.responseFlags += `,${flag}`;
  }

  /** What filters leave for those behind them and for the log, by the filter's name. */
  setMetadata(namespace: string, fields: Readonly<Record<string, unknown>>): void {
    this.#metadata ??= new Map();
    this.#metadata.set(namespace, { ...this.#metadata.get(namespace), ...fields });
  }

  dynamicMetadata(namespace: string, path: readonly string[]): unknown {
    let found: unknown = this.#metadata?.get(namespace);
    for (const key of path) {
      if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
      found = (found as Readonly<Record<string, unknown>>)[key];
    }
    return found;
  }
  filterState(): undefined {
    return undefined;
  }
}
