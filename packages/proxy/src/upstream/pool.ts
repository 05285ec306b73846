/**
 * The HTTP/1.1 connections to one host. The connection used last is used first (its caches and TLS state are warm, the others can idle out).
 * Limits are the cluster's: a request without a free connection waits while fewer than max_pending_requests wait, and a connection is
 * opened for it while fewer than max_connections are open (one is always allowed, as in Envoy).
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/circuit_breaking
 */
import type { Thresholds } from "../config/cluster-config.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";
import { type ConnectionOwner, UpstreamConnection } from "./connection.ts";
import type { Host } from "./host.ts";
import { PoolQueue } from "./pool-queue.ts";
import type { ClusterUsage, PoolClient, RequestPool } from "./request-pool.ts";

export class HttpPool implements RequestPool, ConnectionOwner {
  readonly key: string;
  readonly #cluster: ClusterUsage;
  readonly #queue: PoolQueue;
  readonly #idle: UpstreamConnection[] = [];
  readonly #open = new Set<UpstreamConnection>();
  #isDraining = false;

  /** `alpn`: comma-separated; undefined: the transport socket's own. */
  constructor(host: Host, cluster: ClusterUsage, tls: UpstreamTls | undefined, key: string, alpn?: string) {
    this.key = key;
    this.#cluster = cluster;
    // What is spoken is offered where the transport socket says nothing, and what would not be spoken is not.
    const own = tls === undefined || tls.alpn.length === 0 ? ["http/1.1"] : tls.alpn;
    const protocols = (alpn?.split(",") ?? own).filter((name) => name !== "h2");
    const { stats, clock } = cluster;
    this.#queue = new PoolQueue({
      host,
      cluster,
      tls,
      protocols,
      opened: stats.cxHttp1Total,
      onConnected: ({ transport, localAddress, peerPrincipal }) => {
        const connection = new UpstreamConnection(transport, localAddress, peerPrincipal, this, stats, clock);
        this.#open.add(connection);
        this.onConnectionFree(connection);
      },
    });
  }

  /** Calls back at once when a connection is free, else when one is. */
  acquire(client: PoolClient, limits: Thresholds): void {
    const free = this.#idle.pop();
    if (free !== undefined) {
      this.#cluster.wheel.cancel(free.idleTimer);
      client.onPoolReady(free);
      return;
    }
    const queue = this.#queue;
    if (queue.join(client, limits) && queue.waiting > queue.connecting) queue.connect(limits, this.#open.size);
  }

  /** No connection, and nobody waits for one. */
  get isEmpty(): boolean {
    return this.#open.size + this.#queue.connecting + this.#queue.waiting === 0;
  }

  /** The client gave up waiting. */
  cancel(client: PoolClient): void {
    this.#queue.leave(client);
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
    const next = this.#queue.next();
    if (next !== undefined) {
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
    this.#queue.countClosed(wasRemote);
    if (this.#queue.waiting > this.#queue.connecting) this.#queue.reconnect();
  }

  onIdle(connection: UpstreamConnection): void {
    if (!connection.isBusy) connection.close(false);
  }
}
