/** One batch on its way to the collector: a POST through a cluster of the proxy, so TLS, balancing and limits are the cluster's. The answer is not read. */
import { createHeaderBlock, type ResponseHead } from "@argyle/codec";
import { type AttemptOwner, UpstreamRequest } from "../http/upstream-request.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import { ANY_HOST, type Cluster } from "../upstream/cluster.ts";
import type { UpstreamRequestHead, UpstreamSide } from "../upstream/upstream-side.ts";
import type { SendResult } from "./span-queue.ts";

export interface SpanPostRequest {
  readonly host: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const TIMEOUT_MS = 5000;

/** `done` is called once, maybe before this returns. */
export function postSpans(cluster: Cluster, request: SpanPostRequest, done: (result: SendResult) => void): void {
  new SpanPost(request, done).start(cluster);
}

class SpanPost implements AttemptOwner, TimerOwner {
  readonly upstreamAlpn = { http1: "istio-http/1.1,istio,http/1.1", http2: "istio-h2,istio,h2" };
  readonly upstreamAuthority: string;
  readonly isHttp2 = false;
  readonly #body: Buffer;
  readonly #head: UpstreamRequestHead;
  readonly #done: (result: SendResult) => void;
  readonly #timer: WheelEntry;
  #cluster: Cluster | undefined;
  #attempt: UpstreamRequest | undefined;
  #status = 0;
  #isOver = false;

  constructor(request: SpanPostRequest, done: (result: SendResult) => void) {
    this.#done = done;
    this.upstreamAuthority = request.host;
    this.#body = Buffer.from(request.body, "utf8");
    this.#head = {
      kind: "request",
      method: "POST",
      scheme: "http",
      target: request.path,
      headers: createHeaderBlock([
        ["host", request.host],
        ["content-type", "application/json"],
        // The report of a trace is not a trace of its own.
        ["x-b3-sampled", "0"],
        ...request.headers,
      ]),
      framing: "length",
      contentLength: this.#body.length,
    };
    this.#timer = new WheelEntry(this);
  }

  start(cluster: Cluster): void {
    const host = cluster.pick(ANY_HOST);
    if (host === undefined) {
      this.#finish("failed");
      return;
    }
    this.#cluster = cluster;
    cluster.wheel.arm(this.#timer, TIMEOUT_MS);
    this.#attempt = new UpstreamRequest(this, cluster, host, 0);
    this.#attempt.start(cluster.limits(false));
  }

  onAttemptReady(attempt: UpstreamRequest, connection: UpstreamSide): void {
    connection.begin(attempt, this.#head);
    connection.writeBody(this.#body, 0, this.#body.length);
    connection.endRequest(undefined);
    connection.flush();
  }

  onAttemptHead(_attempt: UpstreamRequest, head: ResponseHead): void {
    this.#status = head.status;
  }

  onAttemptEnd(): void {
    this.#finish(this.#status >= 200 && this.#status < 300 ? "sent" : "rejected");
  }

  onAttemptReset(): void {
    this.#finish("failed");
  }

  onTimer(): void {
    this.#attempt?.cancel();
    this.#finish("failed");
  }

  onAttemptInformational(): void {}
  onAttemptBody(): void {}
  onAttemptTrailers(): void {}
  onAttemptWritable(): void {}
  onAttemptPause(): void {}
  onPerTryTimeout(): void {}

  #finish(result: SendResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cluster?.wheel.cancel(this.#timer);
    this.#done(result);
  }
}
