/**
 * The HTTP/2 connections to one host. As a rule there is one, and requests share it; another is opened when the server's (or our)
 * max_concurrent_streams are in use, within the cluster's max_connections. Requests that find no room wait, up to max_pending_requests.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/connection_pooling
 */
import type { Thresholds } from "../config/cluster-config.ts";
import { type ResetReason, resetText } from "../local-reply.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";
import { type Dialed, DialFailure } from "./dialer.ts";
import type { Host } from "./host.ts";
import { type Http2ConnectionOwner, Http2UpstreamConnection } from "./http2-connection.ts";
import type { ClusterUsage, PoolClient, RequestPool } from "./request-pool.ts";

export class Http2Pool implements RequestPool, Http2ConnectionOwner {
  readonly key: string;
  readonly #host: Host;
  readonly #cluster: ClusterUsage;
  readonly #tls: UpstreamTls | undefined;
  readonly #protocols: readonly string[];
  readonly #open: Http2UpstreamConnection[] = [];
  readonly #waiting: PoolClient[] = [];
  #limits: Thresholds;
  #connecting = 0;
  #isDraining = false;

  constructor(host: Host, cluster: ClusterUsage, tls: UpstreamTls | undefined, key: string, alpn?: string) {
    this.key = key;
    this.#host = host;
    this.#cluster = cluster;
    this.#tls = tls;
    this.#limits = cluster.config.thresholds;
    const own = tls === undefined || tls.alpn.length === 0 ? ["h2"] : tls.alpn;
    this.#protocols = alpn?.split(",") ?? own;
  }

  get isEmpty(): boolean {
    return this.#open.length + this.#connecting + this.#waiting.length === 0;
  }

  acquire(client: PoolClient, limits: Thresholds): void {
    // hot: nearly always the first.
    for (const connection of this.#open) {
      if (!connection.hasRoom) continue;
      client.onPoolReady(connection.take());
      return;
    }
    const { stats } = this.#cluster;
    this.#limits = limits;
    if (this.#cluster.pending >= limits.maxPendingRequests) {
      stats.rqPendingOverflow.add(1);
      client.onPoolFailure({ kind: "overflow" });
      return;
    }
    this.#cluster.pending += 1;
    stats.rqPendingTotal.add(1);
    stats.rqPendingActive.add(1);
    this.#waiting.push(client);
    this.#connectIfWanted();
  }

  cancel(client: PoolClient): void {
    const index = this.#waiting.indexOf(client);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    this.#leavePending();
  }

  drain(): void {
    this.#isDraining = true;
    // Who waits was promised a connection.
    if (this.#waiting.length > 0) return;
    for (const connection of [...this.#open]) connection.drain();
  }

  onRoom(connection: Http2UpstreamConnection): void {
    while (this.#waiting.length > 0 && connection.hasRoom) {
      const next = this.#waiting.shift();
      this.#leavePending();
      next?.onPoolReady(connection.take());
    }
    if (this.#waiting.length > 0) this.#connectIfWanted();
    else if (this.#isDraining) this.drain();
  }

  onConnectionClosed(connection: Http2UpstreamConnection, wasRemote: boolean): void {
    const index = this.#open.indexOf(connection);
    if (index === -1) return;
    this.#open.splice(index, 1);
    this.#cluster.connections -= 1;
    this.#host.cxActive -= 1;
    const { stats } = this.#cluster;
    stats.cxActive.add(-1);
    (wasRemote ? stats.cxDestroyRemote : stats.cxDestroyLocal).add(1);
    if (this.#waiting.length > 0) this.#connectIfWanted();
  }

  #leavePending(): void {
    this.#cluster.pending -= 1;
    this.#cluster.stats.rqPendingActive.add(-1);
  }

  /** One at a time: until its SETTINGS are there nobody knows how many requests it will take. */
  #connectIfWanted(): void {
    if (this.#connecting > 0) return;
    if (this.#cluster.connections < this.#limits.maxConnections || this.#open.length === 0) this.#connect();
    else this.#cluster.stats.cxOverflow.add(1);
  }

  #connect(): void {
    const { config, stats, dialer } = this.#cluster;
    this.#connecting += 1;
    this.#cluster.connections += 1;
    stats.cxTotal.add(1);
    stats.cxHttp2Total.add(1);
    stats.cxActive.add(1);
    this.#host.cxTotal += 1;
    this.#host.cxActive += 1;
    const request = {
      address: this.#host.address,
      authority: this.#host.authority,
      timeoutMs: config.connectTimeoutMs,
      tls: this.#tls,
      alpn: this.#protocols,
    };
    dialer.dial(request).then(
      (dialed) => this.#onConnected(dialed),
      (error: unknown) => this.#onConnectFailure(error),
    );
  }

  #onConnected(dialed: Dialed): void {
    this.#connecting -= 1;
    const connection = new Http2UpstreamConnection(dialed, this, this.#cluster);
    this.#open.push(connection);
    this.onRoom(connection);
  }

  #onConnectFailure(error: unknown): void {
    const { stats } = this.#cluster;
    this.#connecting -= 1;
    this.#cluster.connections -= 1;
    this.#host.cxActive -= 1;
    this.#host.cxConnectFail += 1;
    stats.cxActive.add(-1);
    stats.cxConnectFail.add(1);
    const reason: ResetReason =
      error instanceof DialFailure
        ? error.reason
        : { kind: "connect-failure", detail: resetText({ kind: "local-reset" }).reason };
    if (reason.kind === "connect-timeout") stats.cxConnectTimeout.add(1);
    // Envoy fails every request that waits for this host, not just the first.
    for (const client of this.#waiting.splice(0)) {
      this.#leavePending();
      stats.rqPendingFailureEject.add(1);
      client.onPoolFailure(reason);
    }
  }
}
