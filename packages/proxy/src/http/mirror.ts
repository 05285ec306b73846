/** A shadow of a request, sent to another cluster; what comes back is read and dropped, failures are only counted. */
import type { HeaderBlock, ResponseHead } from "@argyle/codec";
import type { AlpnOffers } from "../config/http-filter-config.ts";
import { ANY_HOST, type Cluster, type PoolWish } from "../upstream/cluster.ts";
import type { UpstreamRequestHead, UpstreamSide } from "../upstream/upstream-side.ts";
import { type AttemptOwner, UpstreamRequest } from "./upstream-request.ts";

const MAX_QUEUED_BYTES = 1024 * 1024;

export class MirrorRequest implements AttemptOwner {
  readonly upstreamAlpn: AlpnOffers | undefined;
  readonly isHttp2: boolean;
  readonly upstreamAuthority: string;
  readonly #head: UpstreamRequestHead;
  #connection: UpstreamSide | undefined;
  #attempt: UpstreamRequest | undefined;
  #queued: Buffer[] = [];
  #queuedBytes = 0;
  #isEnded = false;
  #isOver = false;

  constructor(head: UpstreamRequestHead, wish: PoolWish) {
    this.upstreamAlpn = wish.upstreamAlpn;
    this.isHttp2 = wish.isHttp2;
    this.upstreamAuthority = wish.upstreamAuthority;
    this.#head = head;
  }

  start(cluster: Cluster, startedAt: number): void {
    const host = cluster.pick(ANY_HOST);
    if (host === undefined) {
      this.#isOver = true;
      return;
    }
    this.#attempt = new UpstreamRequest(this, cluster, host, startedAt);
    this.#attempt.start(cluster.limits(false));
  }

  write(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    if (this.#connection !== undefined) {
      this.#connection.writeBody(buffer, start, end);
      return;
    }
    this.#queuedBytes += end - start;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.cancel();
    else this.#queued.push(Buffer.from(buffer.subarray(start, end)));
  }

  end(trailers: HeaderBlock | undefined): void {
    this.#isEnded = true;
    if (this.#isOver || this.#connection === undefined) return;
    this.#connection.endRequest(trailers);
    this.#connection.flush();
  }

  flush(): void {
    if (!this.#isOver) this.#connection?.flush();
  }

  cancel(): void {
    this.#isOver = true;
    this.#queued = [];
    this.#attempt?.cancel();
  }

  onAttemptReady(_attempt: UpstreamRequest, connection: UpstreamSide): void {
    this.#connection = connection;
    connection.begin(_attempt, this.#head);
    for (const piece of this.#queued) connection.writeBody(piece, 0, piece.length);
    this.#queued = [];
    if (this.#isEnded) connection.endRequest(undefined);
    connection.flush();
  }

  onAttemptEnd(): void {
    this.#isOver = true;
  }
  onAttemptReset(): void {
    this.#isOver = true;
    this.#queued = [];
  }
  onAttemptInformational(_head: ResponseHead): void {}
  onAttemptHead(): void {}
  onAttemptBody(): void {}
  onAttemptTrailers(): void {}
  onAttemptWritable(): void {}
  onAttemptPause(): void {}
  onPerTryTimeout(): void {}
}

/** `host:port` → `host-shadow:port`. */
export function shadowHost(authority: string): string {
  const colon = authority.lastIndexOf(":");
  return colon === -1 || authority.endsWith("]")
    ? `${authority}-shadow`
    : `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}
