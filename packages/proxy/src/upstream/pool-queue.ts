/**
 * What the pools of both protocols do alike: requests wait here for a connection, and connections are opened for them, within the cluster's limits
 * and counted in its statistics. Which connection serves whom is the pool's.
 */
import type { Counter } from "@argyle/telemetry";
import type { Thresholds } from "../config/cluster-config.ts";
import { type ResetReason, resetText } from "../local-reply.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";
import { type Dialed, DialFailure } from "./dialer.ts";
import type { Host } from "./host.ts";
import type { ClusterUsage, PoolClient } from "./request-pool.ts";

export interface PoolQueueOptions {
  readonly host: Host;
  readonly cluster: ClusterUsage;
  readonly tls: UpstreamTls | undefined;
  /** Offered by ALPN. */
  readonly protocols: readonly string[];
  /** Counts the connections of this protocol. */
  readonly opened: Counter;
  readonly onConnected: (dialed: Dialed) => void;
}

export class PoolQueue {
  /** Connections that are being opened. */
  connecting = 0;
  readonly #options: PoolQueueOptions;
  readonly #waiting: PoolClient[] = [];

  constructor(options: PoolQueueOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** False: too many wait already, and the client has been told. */
  join(client: PoolClient, limits: Thresholds): boolean {
    const { cluster } = this.#options;
    if (cluster.pending >= limits.maxPendingRequests) {
      cluster.stats.rqPendingOverflow.add(1);
      client.onPoolFailure({ kind: "overflow" });
      return false;
    }
    cluster.pending += 1;
    cluster.stats.rqPendingTotal.add(1);
    cluster.stats.rqPendingActive.add(1);
    this.#waiting.push(client);
    return true;
  }

  /** The client gave up waiting. */
  leave(client: PoolClient): void {
    const index = this.#waiting.indexOf(client);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    this.#countLeft();
  }

  /** Who has waited longest. */
  next(): PoolClient | undefined {
    const client = this.#waiting.shift();
    if (client !== undefined) this.#countLeft();
    return client;
  }

  /** Opens a connection; one is always allowed, as in Envoy. */
  connect(limits: Thresholds, open: number): void {
    if (this.#options.cluster.connections < limits.maxConnections || open + this.connecting === 0) this.reconnect();
    else this.#options.cluster.stats.cxOverflow.add(1);
  }

  /** In place of one that has closed. */
  reconnect(): void {
    const { host, cluster, tls, protocols, opened, onConnected } = this.#options;
    const { config, stats, dialer } = cluster;
    this.connecting += 1;
    cluster.connections += 1;
    stats.cxTotal.add(1);
    opened.add(1);
    stats.cxActive.add(1);
    host.cxTotal += 1;
    host.cxActive += 1;
    const { address, authority } = host;
    dialer.dial({ address, authority, timeoutMs: config.connectTimeoutMs, tls, alpn: protocols }).then(
      (dialed) => {
        this.connecting -= 1;
        onConnected(dialed);
      },
      (error: unknown) => this.#onConnectFailure(error),
    );
  }

  /** An open connection has closed. */
  countClosed(wasRemote: boolean): void {
    const { host, cluster } = this.#options;
    cluster.connections -= 1;
    host.cxActive -= 1;
    cluster.stats.cxActive.add(-1);
    (wasRemote ? cluster.stats.cxDestroyRemote : cluster.stats.cxDestroyLocal).add(1);
  }

  #countLeft(): void {
    const { cluster } = this.#options;
    cluster.pending -= 1;
    cluster.stats.rqPendingActive.add(-1);
  }

  #onConnectFailure(error: unknown): void {
    const { host, cluster } = this.#options;
    const { stats } = cluster;
    this.connecting -= 1;
    cluster.connections -= 1;
    host.cxActive -= 1;
    host.cxConnectFail += 1;
    stats.cxActive.add(-1);
    stats.cxConnectFail.add(1);
    const reason: ResetReason =
      error instanceof DialFailure
        ? error.reason
        : { kind: "connect-failure", detail: resetText({ kind: "local-reset" }).reason };
    if (reason.kind === "connect-timeout") stats.cxConnectTimeout.add(1);
    // Envoy fails every request that waits for this host, not just the first.
    for (const client of this.#waiting.splice(0)) {
      this.#countLeft();
      stats.rqPendingFailureEject.add(1);
      client.onPoolFailure(reason);
    }
  }
}
