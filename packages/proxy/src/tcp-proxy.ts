/**
 * The tcp_proxy network filter: picks a cluster and a host, connects, and relays both ways with half-close and backpressure. The upstream
 * is dialled before the client says anything, so server-first protocols (MySQL, SMTP) work. Where a chain or a cluster exchanges metadata
 * (stats/metadata-exchange.ts), each side's preamble goes before its first byte and the peer's is taken off.
 */

import { createHeaderBlock } from "@argyle/codec";
import type { Clock } from "@argyle/core";
import type { StreamRecord } from "@argyle/telemetry";
import type { TcpProxyConfig } from "./config/tcp-proxy-config.ts";
import type { DownstreamFacts } from "./http/downstream-facts.ts";
import type { Snapshot } from "./http/http-context.ts";
import { StreamState } from "./http/stream-state.ts";
import { type TimerOwner, type TimerWheel, WheelEntry } from "./io/timer-wheel.ts";
import type { Transport, TransportHandler } from "./io/transport.ts";
import { resetFlag } from "./local-reply.ts";
import type { TcpStats } from "./stats/listener-stats.ts";
import { EXCHANGE_PROTOCOL, type MetadataExchange, type PreambleReader } from "./stats/metadata-exchange.ts";
import type { Workload } from "./stats/peer-metadata.ts";
import { TcpReport, type TcpTelemetry } from "./stats/tcp-report.ts";
import { xxHash64 } from "./upstream/balancer/xx-hash.ts";
import type { Cluster } from "./upstream/cluster.ts";
import { type Dialed, DialFailure } from "./upstream/dialer.ts";
import type { Host } from "./upstream/host.ts";

export interface TcpContext {
  readonly config: TcpProxyConfig;
  readonly snapshot: () => Snapshot;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: () => number;
  readonly stats: TcpStats;
  readonly writeLogs: (record: StreamRecord) => void;
  readonly telemetry: TcpTelemetry | undefined;
  readonly exchange: MetadataExchange;
  /** The filter chain exchanges metadata with whoever connects. */
  readonly exchangesDownstream: boolean;
}

/** Peeked or early client bytes wait for the upstream up to this much; then the client is not read. */
const MAX_EARLY_BYTES = 64 * 1024;

export class TcpSession implements TimerOwner {
  readonly context: TcpContext;
  readonly state: StreamState;
  cluster: Cluster | undefined;
  host: Host | undefined;
  upstreamPrincipal: string | undefined;
  /** The workload on the other side of the mesh, once it said so. */
  peer: Workload | undefined;
  readonly #report: TcpReport | undefined;
  readonly #preambles: { down: PreambleReader | undefined; up: PreambleReader | undefined };
  readonly #down: Transport;
  readonly #onClose: () => void;
  readonly #idle: WheelEntry;
  #up: Transport | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #downEnded = false;
  #upEnded = false;
  #isClosed = false;
  #lastActivity: number;
  #attempts = 0;

  constructor(
    context: TcpContext,
    facts: DownstreamFacts,
    down: Transport,
    peeked: Buffer | undefined,
    onClose: () => void,
  ) {
    this.context = context;
    this.#down = down;
    this.#onClose = onClose;
    const now = context.clock.monotonic();
    this.#lastActivity = now;
    this.state = new StreamState(facts, createHeaderBlock(), "", "", "-", context.clock.now(), now);
    this.#idle = new WheelEntry(this);
    this.#report = context.telemetry === undefined ? undefined : new TcpReport(this, context.telemetry, context.wheel);
    context.stats.cxTotal.add(1);
    this.#preambles = {
      down: context.exchangesDownstream ? this.#greet(down, facts.tls?.alpn) : undefined,
      up: undefined,
    };
    this.#connect();
    down.start(this.#downHandler(), peeked);
    this.#armIdle();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#down.destroy();
    this.#up?.destroy();
    this.context.wheel.cancel(this.#idle);
    if (this.cluster !== undefined && this.#up !== undefined) {
      this.cluster.connections -= 1;
      this.cluster.stats.cxActive.add(-1);
      if (this.host !== undefined) {
        this.host.active -= 1;
        this.host.cxActive -= 1;
      }
    }
    this.state.durationMs = this.context.clock.monotonic() - this.state.startedAt;
    this.#report?.close();
    this.context.writeLogs(this.state);
    this.#onClose();
  }

  get isConnected(): boolean {
    return this.#up !== undefined;
  }

  onTimer(): void {
    const { idleTimeoutMs, maxConnectionDurationMs } = this.context.config;
    const now = this.context.clock.monotonic();
    const isIdle = idleTimeoutMs > 0 && now - this.#lastActivity >= idleTimeoutMs;
    if (maxConnectionDurationMs > 0 && now - this.state.startedAt >= maxConnectionDurationMs) {
      this.state.addFlag("DT");
      this.close();
    } else if (isIdle) this.close();
    else this.#armIdle();
  }

  #armIdle(): void {
    const { idleTimeoutMs, maxConnectionDurationMs } = this.context.config;
    const waits = [idleTimeoutMs, maxConnectionDurationMs].filter((ms) => ms > 0);
    if (waits.length > 0) this.context.wheel.arm(this.#idle, Math.min(...waits));
  }

  /** Says who we are; the reader of the peer's answer, or undefined when the peer does not speak the exchange. */
  #greet(to: Transport, alpn: string | undefined): PreambleReader | undefined {
    const { exchange } = this.context;
    if (alpn !== EXCHANGE_PROTOCOL) {
      exchange.stats.alpnNotFound.add(1);
      return undefined;
    }
    exchange.stats.alpnFound.add(1);
    exchange.stats.metadataAdded.add(1);
    to.write(exchange.preamble);
    return exchange.reader();
  }

  /** What of `bytes` belongs to the stream; undefined while the peer's preamble is not whole. */
  #strip(side: "down" | "up", bytes: Buffer): Buffer | undefined {
    const event = this.#preambles[side]?.feed(bytes);
    if (event === undefined) return bytes;
    if (event.kind === "need-more") return undefined;
    this.#preambles[side] = undefined;
    if (event.kind === "too-long") {
      this.#fail(side === "down" ? "DPE" : "UPE");
      return undefined;
    }
    this.peer = event.peer;
    // Peers that say nothing of themselves are as known as they will be.
    if (this.#up !== undefined) this.#report?.onPeerKnown();
    return event.rest.length === 0 ? undefined : event.rest;
  }

  /** The side ended: what was taken for the beginning of a preamble is its stream. */
  #unfinished(side: "down" | "up"): Buffer | undefined {
    const cut = this.#preambles[side]?.finish();
    this.#preambles[side] = undefined;
    return cut === undefined || cut.length === 0 ? undefined : cut;
  }

  #pickCluster(): Cluster | undefined {
    const { clusters, totalWeight } = this.context.config;
    let point = this.context.random() * totalWeight;
    const chosen = clusters.find((cluster) => {
      point -= cluster.weight;
      return point < 0;
    });
    return this.context.snapshot().clusters.get(chosen?.name ?? "");
  }

  #connect(): void {
    const { state } = this;
    this.#attempts += 1;
    this.cluster ??= this.#pickCluster();
    const { cluster } = this;
    if (cluster === undefined) {
      this.#fail("NC");
      return;
    }
    state.upstreamCluster = cluster.config.name;
    const host = cluster.pick({
      destination: state.downstream.destination,
      metadataMatch: undefined,
      hash: cluster.isHashing && this.context.config.hashesSourceIp ? xxHash64(state.downstream.remoteIp) : undefined,
      avoid: undefined,
      avoidAttempts: 0,
    });
    if (host === undefined) {
      this.#fail("UH");
      return;
    }
    if (cluster.connections >= cluster.limits(false).maxConnections) {
      cluster.stats.cxOverflow.add(1);
      this.#fail("UO");
      return;
    }
    this.host = host;
    state.upstreamHost = host.name;
    cluster.connections += 1;
    cluster.stats.cxTotal.add(1);
    cluster.stats.cxActive.add(1);
    host.cxTotal += 1;
    const request = {
      address: host.address,
      authority: host.authority,
      timeoutMs: cluster.config.connectTimeoutMs,
      tls: cluster.tlsOf(host),
      alpn: undefined,
    };
    cluster.dialer.dial(request).then(
      (dialed) => this.#onConnected(cluster, host, dialed),
      (error: unknown) => {
        cluster.connections -= 1;
        cluster.stats.cxActive.add(-1);
        cluster.stats.cxConnectFail.add(1);
        host.cxConnectFail += 1;
        cluster.onResult(host, 503);
        if (this.#isClosed) return;
        if (this.#attempts < this.context.config.maxConnectAttempts) {
          this.#connect();
          return;
        }
        const reason = error instanceof DialFailure ? error.reason : undefined;
        if (reason?.kind === "connect-failure") state.upstreamTransportFailureReason = reason.detail;
        this.#fail(reason === undefined ? "UF" : resetFlag(reason));
      },
    );
  }

  #onConnected(cluster: Cluster, host: Host, dialed: Dialed): void {
    if (this.#isClosed) {
      dialed.transport.destroy();
      cluster.connections -= 1;
      cluster.stats.cxActive.add(-1);
      return;
    }
    host.active += 1;
    host.cxActive += 1;
    this.#up = dialed.transport;
    this.upstreamPrincipal = dialed.peerPrincipal;
    this.state.upstreamLocalAddress = dialed.localAddress;
    if (cluster.config.exchangesMetadata) this.#preambles.up = this.#greet(dialed.transport, dialed.alpn);
    if (this.#preambles.up === undefined && this.#preambles.down === undefined) this.#report?.onPeerKnown();
    dialed.transport.start(this.#upHandler(dialed.transport));
    for (const piece of this.#early) this.#toUpstream(dialed.transport, piece);
    this.#early = [];
    this.#down.resume();
    if (this.#downEnded) dialed.transport.end();
  }

  #fail(flag: string): void {
    this.state.addFlag(flag);
    // The constructor may still run: close when the caller has returned.
    queueMicrotask(() => this.close());
  }

  #toUpstream(up: Transport, bytes: Buffer): void {
    this.cluster?.stats.cxTxBytes.add(bytes.length);
    if (!up.write(bytes)) this.#down.pause();
  }

  #fromDownstream(bytes: Buffer | undefined): void {
    if (bytes === undefined) return;
    this.state.bytesReceived += bytes.length;
    this.context.stats.rxBytes.add(bytes.length);
    if (this.#up !== undefined) {
      this.#toUpstream(this.#up, bytes);
      return;
    }
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#down.pause();
  }

  #fromUpstream(up: Transport, bytes: Buffer | undefined): void {
    if (bytes === undefined) return;
    this.state.bytesSent += bytes.length;
    this.context.stats.txBytes.add(bytes.length);
    if (!this.#down.write(bytes)) up.pause();
  }

  #downHandler(): TransportHandler {
    return {
      onBytes: (buffer, start, end) => {
        this.#lastActivity = this.context.clock.monotonic();
        this.#fromDownstream(this.#strip("down", Buffer.from(buffer.subarray(start, end))));
      },
      onReadEnd: () => {
        this.#fromDownstream(this.#unfinished("down"));
        this.#downEnded = true;
        this.#up?.end();
        if (this.#upEnded) this.#finishSoon();
      },
      onDrain: () => this.#up?.resume(),
      onClosed: () => this.close(),
    };
  }

  #upHandler(up: Transport): TransportHandler {
    return {
      onBytes: (buffer, start, end) => {
        this.#lastActivity = this.context.clock.monotonic();
        this.cluster?.stats.cxRxBytes.add(end - start);
        this.#fromUpstream(up, this.#strip("up", Buffer.from(buffer.subarray(start, end))));
      },
      onReadEnd: () => {
        this.#fromUpstream(up, this.#unfinished("up"));
        this.#upEnded = true;
        this.#down.end();
        if (this.#downEnded) this.#finishSoon();
      },
      onDrain: () => this.#down.resume(),
      onClosed: () => {
        // What was read is still on its way to the client.
        if (!this.#upEnded) this.#down.end();
        this.#upEnded = true;
        this.#finishSoon();
      },
    };
  }

  /** Both sides have ended: close when the last bytes are written. */
  #finishSoon(): void {
    const { socket } = this.#down;
    if (!this.#down.hasUnsentBytes || socket.destroyed) this.close();
    else socket.once("finish", () => this.close());
  }
}
