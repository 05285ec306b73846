/** The connections to one host that requests are sent on, as requests see them; HTTP/1.1 in pool.ts, HTTP/2 in http2-pool.ts. */
import type { Clock } from "@argyle/core";
import type { ClusterConfig, Thresholds } from "../config/cluster-config.ts";
import type { TimerWheel } from "../io/timer-wheel.ts";
import type { ResetReason } from "../local-reply.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import type { Dialer } from "./dialer.ts";
import type { UpstreamSide } from "./upstream-side.ts";

export interface RequestPool {
  /** `http1`, `http2` or what is offered by ALPN instead of the transport socket's own list; then the server name, where requests bring it along. */
  readonly key: string;
  /** Calls back at once when there is room on a connection, else when there is. */
  acquire(client: PoolClient, limits: Thresholds): void;
  /** The client gave up waiting. */
  cancel(client: PoolClient): void;
  /** No connection, nobody who waits. */
  readonly isEmpty: boolean;
  /** Takes no new connection; closes each as soon as it carries nothing. */
  drain(): void;
}

export interface PoolClient {
  onPoolReady(side: UpstreamSide): void;
  onPoolFailure(reason: ResetReason): void;
}

/** What the pools of a cluster share. */
export interface ClusterUsage {
  readonly config: ClusterConfig;
  readonly stats: ClusterStats;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly clock: Clock;
  connections: number;
  pending: number;
}
