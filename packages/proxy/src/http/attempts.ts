/**
 * The upstream side of one stream: the attempts at its cluster, one at a time, each at a host of its own choice. It writes the request to the
 * current attempt, passes the response on, and decides after a failure whether another attempt follows.
 * Invariant: what an attempt that is not the current one still reports is not listened to; no attempt follows once a response began.
 */
import type { HeaderBlock, ResponseHead } from "@argyle/codec";
import type { AlpnOffers } from "../config/http-filter-config.ts";
import type { RouteAction } from "../config/route-action.ts";
import { LOCAL_REPLY, type ResetReason, upstreamReset } from "../local-reply.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type { UpstreamSide } from "../upstream/upstream-side.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import type { RequestBody } from "./request-body.ts";
import { requestHash } from "./request-hash.ts";
import type { RetryState } from "./retry-state.ts";
import type { HttpStream } from "./stream.ts";
import { type AttemptOwner, UpstreamRequest } from "./upstream-request.ts";

export class Attempts implements AttemptOwner {
  readonly #cluster: Cluster;
  readonly #stream: HttpStream;
  readonly #down: DownstreamSide;
  readonly #action: RouteAction;
  readonly #retry: RetryState | undefined;
  readonly #body: RequestBody | undefined;
  #current: UpstreamRequest | undefined;
  /** The current attempt's, from its being ready until the response ended. */
  #connection: UpstreamSide | undefined;
  #tried: Host[] | undefined;
  #isBackingOff = false;
  #hash: bigint | undefined;
  #hasInformed = false;

  constructor(
    stream: HttpStream,
    down: DownstreamSide,
    action: RouteAction,
    cluster: Cluster,
    retry: RetryState | undefined,
    body: RequestBody | undefined,
  ) {
    this.#stream = stream;
    this.#down = down;
    this.#action = action;
    this.#cluster = cluster;
    this.#retry = retry;
    this.#body = body;
    if (body !== undefined) body.isRetained = retry !== undefined;
    if (cluster.isHashing && action.hashPolicies.length > 0) this.#hashRequest();
  }

  get upstreamAlpn(): AlpnOffers | undefined {
    return this.#stream.context.config.upstreamAlpn;
  }

  get upstreamAuthority(): string {
    return this.#stream.state.authority;
  }

  get isHttp2(): boolean {
    return this.#stream.state.isHttp2;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  start(): void {
    const action = this.#action;
    const stream = this.#stream;
    const { state } = stream;
    const host = this.#pick();
    if (host === undefined) {
      stream.sendLocalReply(LOCAL_REPLY.noHealthyUpstream);
      return;
    }
    state.upstreamRequestAttemptCount += 1;
    state.upstreamHost = host.name;
    stream.upstreamHost = host;
    if (stream.virtualHost?.includeRequestAttemptCount === true)
      state.headers.setOwn("x-envoy-attempt-count", String(state.upstreamRequestAttemptCount));
    if (state.upstreamRequestAttemptCount > 1) this.#lowerExpectedTimeout();
    if (action.hostRewrite?.kind === "auto" && host.hostname !== "") state.headers.set("host", host.hostname);
    const attempt = new UpstreamRequest(this, this.#cluster, host, stream.lastActivity);
    this.#current = attempt;
    if (stream.isRequestDone) this.armPerTry();
    attempt.start(this.#cluster.limits(action.isHighPriority));
  }

  /** A later attempt has only what is left of the route's time. */
  #lowerExpectedTimeout(): void {
    const { state, timeouts, context } = this.#stream;
    if (timeouts.perTryMs > 0 || timeouts.routeMs === 0 || context.suppressEnvoyHeaders) return;
    const spent = context.clock.monotonic() - state.startedAt - (state.requestDurationMs ?? 0);
    state.headers.set("x-envoy-expected-rq-timeout-ms", String(Math.max(1, Math.ceil(timeouts.routeMs - spent))));
  }

  /** From the end of the request on. */
  armPerTry(): void {
    const { perTryMs } = this.#stream.timeouts;
    if (perTryMs > 0) this.#current?.armPerTry(perTryMs);
  }

  /** Nothing more is wanted from upstream. */
  cancel(): void {
    const attempt = this.#current;
    this.#current = undefined;
    this.#connection = undefined;
    attempt?.cancel();
    this.#leaveBackOff();
  }

  // ── the request ──

  /** False: the upstream is slow, stop reading the request. */
  writeBody(buffer: Buffer, start: number, end: number): boolean {
    return this.#connection === undefined || this.#connection.writeBody(buffer, start, end);
  }

  endRequest(trailers: HeaderBlock | undefined): void {
    this.#connection?.endRequest(trailers);
  }

  flush(): boolean {
    return this.#connection === undefined || this.#connection.flush();
  }

  resume(): void {
    this.#connection?.resume();
  }

  endTunnel(): void {
    this.#connection?.endTunnel();
  }

  // ── from the attempts ──

  onAttemptReady(attempt: UpstreamRequest, connection: UpstreamSide): void {
    const stream = this.#stream;
    const { state, head } = stream;
    this.#connection = connection;
    state.upstreamLocalAddress = connection.localAddress;
    stream.upstreamPrincipal = connection.peerPrincipal;
    connection.begin(attempt, {
      kind: "request",
      method: state.method,
      scheme: state.scheme,
      target: state.path,
      headers: state.headers,
      framing: head.framing,
      contentLength: head.contentLength,
      wantsUpgrade: stream.wantsTunnel,
    });
    this.#body?.replay(connection);
    if (stream.isRequestDone) connection.endRequest(stream.trailers);
    // A request without body is complete already; its end event follows at once and this head goes out with it.
    if (stream.isRequestDone || head.framing !== "none") connection.flush();
    this.#down.resumeReading();
  }

  /** Only 100 is passed on, and only where the listener asks for it; after any of them Envoy takes the response for begun. */
  onAttemptInformational(head: ResponseHead): void {
    this.#hasInformed = true;
    this.#body?.drop();
    if (head.status !== 100 || !this.#stream.context.config.proxy100Continue) return;
    this.#down.sendInformational(head);
    this.#down.flush();
  }

  onAttemptHead(attempt: UpstreamRequest, head: ResponseHead): void {
    const stream = this.#stream;
    if (attempt !== this.#current || stream.isDone) return;
    const retry = this.#retry;
    if (retry !== undefined && head.status !== 101 && retry.wantsStatus(head, stream.state)) {
      if (this.#canRetry()) {
        attempt.cancel();
        this.#scheduleRetry(retry);
        return;
      }
    } else if (retry !== undefined && stream.state.upstreamRequestAttemptCount > 1)
      this.#cluster.stats.rqRetrySuccess.add(1);
    this.#body?.drop();
    stream.onUpstreamHead(attempt, head);
  }

  onAttemptBody(attempt: UpstreamRequest, buffer: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (attempt !== this.#current || stream.isDone) return;
    stream.state.bytesSent += end - start;
    stream.messages?.responses.push(buffer, start, end);
    if (!this.#down.sendBody(buffer, start, end)) this.#connection?.pause();
  }

  onAttemptTrailers(attempt: UpstreamRequest, headers: HeaderBlock): void {
    if (attempt === this.#current) this.#stream.state.responseTrailers = headers;
  }

  onAttemptEnd(attempt: UpstreamRequest): void {
    const stream = this.#stream;
    if (attempt !== this.#current || stream.isDone) return;
    this.#connection = undefined;
    const now = attempt.lastRead;
    this.#cluster.stats.rqTime.observe(now - attempt.startedAt);
    stream.onUpstreamEnd(now);
  }

  onAttemptReset(attempt: UpstreamRequest, reason: ResetReason): void {
    const stream = this.#stream;
    if (stream.isDone || (this.#current !== undefined && attempt !== this.#current)) return;
    const isStarted = this.#connection !== undefined;
    this.#connection = undefined;
    if (stream.hasResponded) {
      stream.onUpstreamCut(reason);
      return;
    }
    const retry = this.#retry;
    if (retry?.wantsReset(reason, isStarted) === true && this.#canRetry()) {
      this.#scheduleRetry(retry);
      return;
    }
    const { state } = stream;
    if (reason.kind === "connect-failure") state.upstreamTransportFailureReason = reason.detail;
    stream.sendLocalReply(upstreamReset(reason, state.upstreamRequestAttemptCount > 1));
  }

  onAttemptWritable(): void {
    this.#down.resumeReading();
  }

  onAttemptPause(attempt: UpstreamRequest): void {
    if (attempt !== this.#current) return;
    // A response that goes on keeps its stream from being idle, however long the client says nothing.
    this.#stream.lastActivity = attempt.lastRead;
    if (!this.#down.flush()) this.#connection?.pause();
  }

  onPerTryTimeout(attempt: UpstreamRequest): void {
    const stream = this.#stream;
    if (attempt !== this.#current || stream.isDone || stream.hasResponded) return;
    this.#connection = undefined;
    const retry = this.#retry;
    if (retry?.wantsReset({ kind: "local-reset" }, true) === true && this.#canRetry()) this.#scheduleRetry(retry);
    else stream.sendLocalReply(LOCAL_REPLY.perTryTimeout);
  }

  // ── retries ──

  #hashRequest(): void {
    const { state } = this.#stream;
    const { remoteAddress, remoteIp, localAddress } = state.downstream;
    const { headers, path } = state;
    const believed = state.remoteAddress?.replace(/:\d+$/, "") ?? remoteIp;
    const request = { headers, path, remoteAddress, localAddress, remoteIp: believed };
    const { hash, setCookie } = requestHash(this.#action.hashPolicies, request);
    this.#hash = hash;
    this.#stream.setCookie = setCookie;
  }

  #pick(): Host | undefined {
    const stream = this.#stream;
    const policy = this.#retry?.policy;
    const avoid = policy?.avoidsPreviousHosts === true ? this.#tried : undefined;
    return this.#cluster.pick({
      destination: stream.state.downstream.destination,
      metadataMatch: stream.choice?.weighted?.metadataMatch ?? this.#action.metadataMatch,
      hash: this.#hash,
      avoid,
      avoidAttempts: avoid === undefined || policy === undefined ? 0 : Math.max(3, policy.hostSelectionAttempts),
    });
  }

  /** Whether another attempt may follow; a refusal is told in flags and statistics. */
  #canRetry(): boolean {
    const cluster = this.#cluster;
    const stream = this.#stream;
    const retry = this.#retry;
    if (retry === undefined || stream.hasResponded || this.#hasInformed || this.#body?.isRetained === false)
      return false;
    if (retry.remaining <= 0) {
      stream.state.addFlag("URX");
      cluster.stats.rqRetryLimitExceeded.add(1);
      return false;
    }
    if (cluster.activeRetries >= cluster.limits(false).maxRetries) {
      stream.state.addFlag("UO");
      cluster.stats.rqRetryOverflow.add(1);
      return false;
    }
    return true;
  }

  /** Starts the next attempt when the back-off is over. */
  #scheduleRetry(retry: RetryState): void {
    const cluster = this.#cluster;
    const stream = this.#stream;
    if (stream.upstreamHost !== undefined) {
      this.#tried ??= [];
      this.#tried.push(stream.upstreamHost);
    }
    this.#current = undefined;
    this.#connection = undefined;
    retry.take();
    cluster.stats.rqRetry.add(1);
    cluster.activeRetries += 1;
    this.#isBackingOff = true;
    stream.waitThen(retry.delayMs(stream.context.random), () => {
      this.#leaveBackOff();
      this.start();
    });
  }

  #leaveBackOff(): void {
    if (!this.#isBackingOff) return;
    this.#isBackingOff = false;
    this.#cluster.activeRetries -= 1;
  }
}
