/**
 * The tcp_proxy network filter: picks a cluster and a host, connects, and relays both ways with half-close and backpressure. The upstream
 * is dialled before the client says anything, so server-first protocols (MySQL, SMTP) work.
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
}

export interface TcpTelemetry {
  onOpened(session: TcpSession): void;
  onClosed(session: TcpSession): void;
}

/** Peeked or early client bytes wait for the upstream up to this much; then the client is not read. */
const MAX_EARLY_BYTES = 64 * 1024;

export class TcpSession implements TimerOwner {
  readonly context: TcpContext;
  readonly state: StreamState;
  cluster: Cluster | undefined;
  host: Host | undefined;
  upstreamPrincipal: string | undefined;
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
    context.stats.cxTotal.add(1);
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
    this.context.telemetry?.onClosed(this);
    this.context.writeLogs(this.state);
    this.#onClose();
  }

  onTimer(): void {
    const { idleTimeoutMs } = this.context.config;
    if (this.context.clock.monotonic() - this.#lastActivity >= idleTimeoutMs) this.close();
    else this.#armIdle();
  }

  #armIdle(): void {
    if (this.context.config.idleTimeoutMs > 0) this.context.wheel.arm(this.#idle, this.context.config.idleTimeoutMs);
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
    this.context.telemetry?.onOpened(this);
    dialed.transport.start(this.#upHandler(dialed.transport));
    for (const piece of this.#early) this.#toUpstream(dialed.transport, piece);
    this.#early = [];
    this.#down.resume();
    if (this.#downEnded) dialed.transport.end();
  }

  #fail(flag: string): void {
    this.state.addFlag(flag);
    this.context.telemetry?.onOpened(this);
    // The constructor may still run: close when the caller has returned.
    queueMicrotask(() => this.close());
  }

  #toUpstream(up: Transport, bytes: Buffer): void {
    this.cluster?.stats.cxTxBytes.add(bytes.length);
    if (!up.write(bytes)) this.#down.pause();
  }

  #downHandler(): TransportHandler {
    return {
      onBytes: (buffer, start, end) => {
        this.#lastActivity = this.context.clock.monotonic();
        this.state.bytesReceived += end - start;
        this.context.stats.rxBytes.add(end - start);
        const copy = Buffer.from(buffer.subarray(start, end));
        if (this.#up !== undefined) {
          this.#toUpstream(this.#up, copy);
          return;
        }
        this.#early.push(copy);
        this.#earlyBytes += copy.length;
        if (this.#earlyBytes > MAX_EARLY_BYTES) this.#down.pause();
      },
      onReadEnd: () => {
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
        this.state.bytesSent += end - start;
        this.context.stats.txBytes.add(end - start);
        this.cluster?.stats.cxRxBytes.add(end - start);
        if (!this.#down.write(Buffer.from(buffer.subarray(start, end)))) up.pause();
      },
      onReadEnd: () => {
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
    if (socket.writableLength === 0 || socket.destroyed) this.close();
    else socket.once("finish", () => this.close());
  }
}
