/** One attempt of a stream at one host: waiting for a connection, writing the request, reading the response, per-try time-out. */
import type { HeaderBlock, ResponseHead } from "@argyle/codec";
import type { Thresholds } from "../config/cluster-config.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import type { ResetReason } from "../local-reply.ts";
import type { Cluster, PoolWish } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type { PoolClient } from "../upstream/request-pool.ts";
import type { UpstreamSide, UpstreamStreamHandler } from "../upstream/upstream-side.ts";

/** The stream, as its attempts see it. */
export interface AttemptOwner extends PoolWish {
  onAttemptReady(attempt: UpstreamRequest, connection: UpstreamSide): void;
  onAttemptInformational(head: ResponseHead): void;
  onAttemptHead(attempt: UpstreamRequest, head: ResponseHead): void;
  onAttemptBody(attempt: UpstreamRequest, buffer: Buffer, start: number, end: number): void;
  onAttemptTrailers(attempt: UpstreamRequest, headers: HeaderBlock): void;
  onAttemptEnd(attempt: UpstreamRequest): void;
  onAttemptReset(attempt: UpstreamRequest, reason: ResetReason): void;
  onAttemptWritable(): void;
  onAttemptPause(attempt: UpstreamRequest): void;
  onPerTryTimeout(attempt: UpstreamRequest): void;
}

export class UpstreamRequest implements PoolClient, UpstreamStreamHandler, TimerOwner {
  readonly cluster: Cluster;
  readonly host: Host;
  readonly startedAt: number;
  connection: UpstreamSide | undefined;
  status = 0;
  readonly #owner: AttemptOwner;
  #isOver = false;
  #perTry: WheelEntry | undefined;

  constructor(owner: AttemptOwner, cluster: Cluster, host: Host, startedAt: number) {
    this.#owner = owner;
    this.cluster = cluster;
    this.host = host;
    this.startedAt = startedAt;
  }

  start(limits: Thresholds): void {
    const { cluster, host } = this;
    const { stats } = cluster;
    if (cluster.activeRequests >= limits.maxRequests) {
      stats.rqPendingOverflow.add(1);
      this.#isOver = true;
      this.#owner.onAttemptReset(this, { kind: "overflow" });
      return;
    }
    cluster.activeRequests += 1;
    host.active += 1;
    cluster.poolOf(host, this.#owner).acquire(this, limits);
  }

  /** When bytes came from upstream last, on the monotonic clock. */
  get lastRead(): number {
    return this.connection?.lastRead ?? this.startedAt;
  }

  armPerTry(timeoutMs: number): void {
    this.#perTry ??= new WheelEntry(this);
    this.cluster.wheel.arm(this.#perTry, timeoutMs);
  }

  /** Gives up: a connection in use can't be used again, a place in the queue is left. */
  cancel(): void {
    if (this.#isOver) return;
    this.#leave();
    const { connection } = this;
    if (connection === undefined) this.cluster.poolOf(this.host, this.#owner).cancel(this);
    else {
      this.cluster.stats.rqTxReset.add(1);
      connection.abandon();
    }
  }

  onPoolReady(connection: UpstreamSide): void {
    const { stats } = this.cluster;
    stats.rqTotal.add(1);
    stats.rqActive.add(1);
    this.host.rqTotal += 1;
    this.connection = connection;
    this.#owner.onAttemptReady(this, connection);
  }

  onPoolFailure(reason: ResetReason): void {
    if (this.#isOver) return;
    this.#leave();
    this.host.rqError += 1;
    if (reason.kind !== "overflow") this.cluster.onResult(this.host, 503);
    this.#owner.onAttemptReset(this, reason);
  }

  onUpstreamInformational(head: ResponseHead): void {
    this.#owner.onAttemptInformational(head);
  }

  onUpstreamHead(head: ResponseHead): void {
    this.status = head.status;
    if (this.#perTry !== undefined) this.cluster.wheel.cancel(this.#perTry);
    this.cluster.stats.code(head.status);
    this.cluster.stats.rqCompleted.add(1);
    this.cluster.onResponse(this.host, head);
    if (head.status >= 500) this.host.rqError += 1;
    else this.host.rqSuccess += 1;
    this.#owner.onAttemptHead(this, head);
  }

  onUpstreamBody(buffer: Buffer, start: number, end: number): void {
    this.#owner.onAttemptBody(this, buffer, start, end);
  }

  onUpstreamTrailers(headers: HeaderBlock): void {
    this.#owner.onAttemptTrailers(this, headers);
  }

  onUpstreamEnd(): void {
    this.#leave();
    this.#owner.onAttemptEnd(this);
  }

  onUpstreamReset(reason: ResetReason): void {
    if (this.#isOver) return;
    this.cluster.stats.rqRxReset.add(1);
    if (this.status === 0) {
      this.host.rqError += 1;
      this.cluster.onResult(this.host, 503);
    }
    this.#leave();
    this.#owner.onAttemptReset(this, reason);
  }

  onUpstreamWritable(): void {
    this.#owner.onAttemptWritable();
  }

  onUpstreamPause(): void {
    this.#owner.onAttemptPause(this);
  }

  onTimer(): void {
    this.cluster.stats.rqPerTryTimeout.add(1);
    this.cluster.onResult(this.host, 504);
    this.cancel();
    this.#owner.onPerTryTimeout(this);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.cluster.activeRequests -= 1;
    this.host.active -= 1;
    if (this.connection !== undefined) this.cluster.stats.rqActive.add(-1);
    if (this.#perTry !== undefined) this.cluster.wheel.cancel(this.#perTry);
  }
}
