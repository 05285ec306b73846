/**
 * The HTTP/2 connections to one host. As a rule there is one, and requests share it; another is opened when the server's (or our)
 * max_concurrent_streams are in use, within the cluster's max_connections. Requests that find no room wait, up to max_pending_requests.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/connection_pooling
 */
import type { Thresholds } from "../config/cluster-config.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";
import type { Host } from "./host.ts";
import { type Http2ConnectionOwner, Http2UpstreamConnection } from "./http2-connection.ts";
import { PoolQueue } from "./pool-queue.ts";
import type { ClusterUsage, PoolClient, RequestPool } from "./request-pool.ts";

export class Http2Pool implements RequestPool, Http2ConnectionOwner {
  readonly key: string;
  readonly #queue: PoolQueue;
  readonly #open: Http2UpstreamConnection[] = [];
  #limits: Thresholds;
  #isDraining = false;

  constructor(host: Host, cluster: ClusterUsage, tls: UpstreamTls | undefined, key: string, alpn?: string) {
    this.key = key;
    this.#limits = cluster.config.thresholds;
    const own = tls === undefined || tls.alpn.length === 0 ? ["h2"] : tls.alpn;
    this.#queue = new PoolQueue({
      host,
      cluster,
      tls,
      protocols: alpn?.split(",") ?? own,
      opened: cluster.stats.cxHttp2Total,
      onConnected: (dialed) => {
        const connection = new Http2UpstreamConnection(dialed, this, cluster);
        this.#open.push(connection);
        this.onRoom(connection);
      },
    });
  }

  get isEmpty(): boolean {
    return this.#open.length + this.#queue.connecting + this.#queue.waiting === 0;
  }

  acquire(client: PoolClient, limits: Thresholds): void {
    // hot: nearly always the first.
    for (const connection of this.#open) {
      if (!connection.hasRoom) continue;
      client.onPoolReady(connection.take());
      return;
    }
    this.#limits = limits;
    if (this.#queue.join(client, limits)) this.#connectIfWanted();
  }

  cancel(client: PoolClient): void {
    this.#queue.leave(client);
  }

  drain(): void {
    this.#isDraining = true;
    // Who waits was promised a connection.
    if (this.#queue.waiting > 0) return;
    for (const connection of [...this.#open]) connection.drain();
  }

  onRoom(connection: Http2UpstreamConnection): void {
    while (this.#queue.waiting > 0 && connection.hasRoom) this.#queue.next()?.onPoolReady(connection.take());
    if (this.#queue.waiting > 0) this.#connectIfWanted();
    else if (this.#isDraining) this.drain();
  }

  onConnectionClosed(connection: Http2UpstreamConnection, wasRemote: boolean): void {
    const index = this.#open.indexOf(connection);
    if (index === -1) return;
    this.#open.splice(index, 1);
    this.#queue.countClosed(wasRemote);
    if (this.#queue.waiting > 0) this.#connectIfWanted();
  }

  /** One at a time: until its SETTINGS are there nobody knows how many requests it will take. */
  #connectIfWanted(): void {
    if (this.#queue.connecting === 0) this.#queue.connect(this.#limits, this.#open.length);
  }
}
