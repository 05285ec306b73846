/**
 * The HTTP/1.1 connections to one host. The connection used last is used first (its caches and TLS state are warm, the others can idle out).
 * Limits are the cluster's: a request without a free connection waits while fewer than max_pending_requests wait, and a connection is
 * opened for it while fewer than max_connections are open (one is always allowed, as in Envoy).
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/circuit_breaking
 */
import type { Thresholds } from "../config/cluster-config.ts";
import { type ResetReason, resetText } from "../local-reply.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";
import { type ConnectionOwner, UpstreamConnection } from "./connection.ts";
import { DialFailure } from "./dialer.ts";
import type { Host } from "./host.ts";
import type { ClusterUsage, PoolClient, RequestPool } from "./request-pool.ts";

export class HttpPool implements RequestPool, ConnectionOwner {
  readonly key: string;
  readonly #host: Host;
  readonly #cluster: ClusterUsage;
  readonly #tls: UpstreamTls | undefined;
  readonly #protocols: readonly string[] | undefined;
  readonly #idle: UpstreamConnection[] = [];
  readonly #open = new Set<UpstreamConnection>();
  readonly #waiting: PoolClient[] = [];
  #connecting = 0;
  #isDraining = false;

  /** `alpn`: comma-separated; undefined: the transport socket's own. */
  constructor(host: Host, cluster: ClusterUsage, tls: UpstreamTls | undefined, key: string, alpn?: string) {
    this.key = key;
    this.#host = host;
    this.#cluster = cluster;
    this.#tls = tls;
    // What is spoken is offered where the transport socket says nothing, and what would not be spoken is not.
    const own = tls === undefined || tls.alpn.length === 0 ? ["http/1.1"] : tls.alpn;
    this.#protocols = (alpn?.split(",") ?? own).filter((name) => name !== "h2");
  }

  /** Calls back at once when a connection is free, else when one is. */
  acquire(client: PoolClient, limits: Thresholds): void {
    const free = this.#idle.pop();
    if (free !== undefined) {
      this.#cluster.wheel.cancel(free.idleTimer);
      client.onPoolReady(free);
      return;
    }
    const { stats } = this.#cluster;
    if (this.#cluster.pending >= limits.maxPendingRequests) {
      stats.rqPendingOverflow.add(1);
      client.onPoolFailure({ kind: "overflow" });
      return;
    }
    this.#cluster.pending += 1;
    stats.rqPendingTotal.add(1);
    stats.rqPendingActive.add(1);
    this.#waiting.push(client);
    if (this.#waiting.length <= this.#connecting) return;
    if (this.#cluster.connections < limits.maxConnections || this.#open.size + this.#connecting === 0) this.#connect();
    else stats.cxOverflow.add(1);
  }

  /** No connection, and nobody waits for one. */
  get isEmpty(): boolean {
    return this.#open.size + this.#connecting + this.#waiting.length === 0;
  }

  /** The client gave up waiting. */
  cancel(client: PoolClient): void {
    const index = this.#waiting.indexOf(client);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    this.#leavePending();
  }

  /** Closes idle connections now and the others when they become free. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of [...this.#idle]) connection.close(false);
  }

  onConnectionFree(connection: UpstreamConnection): void {
    const { maxRequestsPerConnection, idleTimeoutMs } = this.#cluster.config;
    if (maxRequestsPerConnection > 0 && connection.requests >= maxRequestsPerConnection) {
      this.#cluster.stats.cxMaxRequests.add(1);
      connection.close(false);
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#leavePending();
      next.onPoolReady(connection);
      return;
    }
    // Only now: who waits was promised a connection before the draining began.
    if (this.#isDraining) {
      connection.close(false);
      return;
    }
    this.#idle.push(connection);
    if (idleTimeoutMs > 0) this.#cluster.wheel.arm(connection.idleTimer, idleTimeoutMs);
  }

  onConnectionClosed(connection: UpstreamConnection, wasRemote: boolean): void {
    if (!this.#open.delete(connection)) return;
    const index = this.#idle.lastIndexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    this.#cluster.wheel.cancel(connection.idleTimer);
    this.#cluster.connections -= 1;
    this.#host.cxActive -= 1;
    const { stats } = this.#cluster;
    stats.cxActive.add(-1);
    (wasRemote ? stats.cxDestroyRemote : stats.cxDestroyLocal).add(1);
    if (this.#waiting.length > this.#connecting) this.#connect();
  }

  onIdle(connection: UpstreamConnection): void {
    if (!connection.isBusy) connection.close(false);
  }

  #leavePending(): void {
    this.#cluster.pending -= 1;
    this.#cluster.stats.rqPendingActive.add(-1);
  }

  #connect(): void {
    const { config, stats, dialer, clock } = this.#cluster;
    this.#connecting += 1;
    this.#cluster.connections += 1;
    stats.cxTotal.add(1);
    stats.cxHttp1Total.add(1);
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
      ({ transport, localAddress, peerPrincipal }) => {
        this.#connecting -= 1;
        const connection = new UpstreamConnection(transport, localAddress, peerPrincipal, this, stats, clock);
        this.#open.add(connection);
        this.onConnectionFree(connection);
      },
      (error: unknown) => this.#onConnectFailure(error),
    );
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
