/**
 * The life of one request: filters → route → cluster → attempts (with retries) → response → log and metrics. It owns no socket: the downstream
 * connection feeds it and writes for it, attempts bring the response.
 *
 *   start ─► filters ─► routed ─► attempting ⇄ waiting to retry ─► responding ─► done
 *                └──────────┴──── local reply ───────────────────────────────────►┘
 * Invariant: exactly one response head goes downstream, and finish() runs exactly once, whoever ends the stream.
 */
import { createHeaderBlock, type HeaderBlock, type RequestHead, type ResponseHead } from "@argyle/codec";
import type { RouteAction } from "../config/route-action.ts";
import type { Route, RouteTable, VirtualHost } from "../config/route-config.ts";
import { type TimerOwner, WheelEntry } from "../io/timer-wheel.ts";
import {
  clusterNotFound,
  grpcStatusOf,
  LOCAL_REPLY,
  type LocalReply,
  maxStreamDuration,
  type ResetReason,
  resetFlag,
  streamIdle,
  upstreamReset,
} from "../local-reply.ts";
import {
  type ClusterChoice,
  findRoute,
  findVirtualHost,
  needsTlsRedirect,
  pickCluster,
  redirectLocation,
} from "../router.ts";
import type { Workload } from "../stats/peer-metadata.ts";
import { samplingPercent } from "../tracing/sampling.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamConnection } from "../upstream/connection.ts";
import type { Host } from "../upstream/host.ts";
import { applyRequestMutations, applyResponseMutations, finalizeResponse, rewriteRequest } from "./apply-route.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import { runFilters, type StreamFilters } from "./filter-chain.ts";
import type { HttpContext, Snapshot } from "./http-context.ts";
import type { MirrorRequest } from "./mirror.ts";
import { prepareRequestHeaders } from "./request-headers.ts";
import { createRetryState, type RetryState } from "./retry-state.ts";
import { startMirrors } from "./start-mirrors.ts";
import type { StreamState } from "./stream-state.ts";
import { propagateTrace, type TraceContext } from "./trace-context.ts";
import { type AttemptOwner, UpstreamRequest } from "./upstream-request.ts";

export class HttpStream implements AttemptOwner, TimerOwner {
  readonly context: HttpContext;
  readonly state: StreamState;
  readonly head: RequestHead;
  readonly random: number;
  snapshot: Snapshot;
  table: RouteTable | undefined;
  virtualHost: VirtualHost | undefined;
  route: Route | undefined;
  choice: ClusterChoice | undefined;
  cluster: Cluster | undefined;
  filters: StreamFilters | undefined;
  trace: TraceContext | undefined;
  lastActivity: number;
  isTunnel = false;
  isDone = false;
  upstreamHost: Host | undefined;
  upstreamPrincipal: string | undefined;
  /** The workload on the other side, from its metadata headers. */
  peer: Workload | undefined;
  peerAsksForMetadata = false;
  readonly #down: DownstreamSide;
  #attempt: UpstreamRequest | undefined;
  #connection: UpstreamConnection | undefined;
  #retry: RetryState | undefined;
  #tried: Host[] | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #retainsBody = false;
  #isRequestDone = false;
  #trailers: HeaderBlock | undefined;
  #responseStarted = false;
  #mirrors: readonly MirrorRequest[] = [];
  #routeTimer: WheelEntry | undefined;
  #durationTimer: WheelEntry | undefined;
  #waitTimer: WheelEntry | undefined;
  #afterWait: (() => void) | undefined;

  constructor(context: HttpContext, down: DownstreamSide, state: StreamState, head: RequestHead) {
    this.context = context;
    this.#down = down;
    this.state = state;
    this.head = head;
    this.lastActivity = state.startedAt;
    this.random = Math.floor(context.random() * 0x7fffffff);
    this.snapshot = context.snapshot();
    context.stats.rqTotal.add(1);
    context.stats.rqActive.add(1);
  }

  start(): void {
    const { context, state, head } = this;
    const wantsUpgrade = head.upgrade !== undefined && head.upgrade.toLowerCase() !== "h2c";
    const refused = prepareRequestHeaders(state, context.config, context.uuid, wantsUpgrade);
    if (refused !== undefined) {
      this.sendLocalReply(refused);
      return;
    }
    if (head.minor === 0 && !context.config.acceptsHttp10) {
      this.sendLocalReply(LOCAL_REPLY.lowVersion);
      return;
    }
    const { tracing } = context.config;
    if (tracing !== undefined) {
      const percent = samplingPercent(tracing, state);
      this.trace = propagateTrace(state.headers, percent, context);
    }
    context.telemetry?.onRequest(this);
    this.#resolveRoute();
    if (wantsUpgrade && !this.#allowsUpgrade(head.upgrade ?? "")) {
      this.sendLocalReply(LOCAL_REPLY.upgradeFailed);
      return;
    }
    if (head.expectContinue && !context.config.proxy100Continue) {
      state.headers.remove("expect");
      this.#down.sendInformational({ status: 100, headers: createHeaderBlock() });
      this.#down.flush();
    }
    const { requestTimeoutMs, maxStreamDurationMs } = context.config;
    if (maxStreamDurationMs > 0) {
      this.#durationTimer = new WheelEntry(this);
      context.wheel.arm(this.#durationTimer, maxStreamDurationMs);
    }
    if (requestTimeoutMs > 0) this.#armRoute(requestTimeoutMs);
    runFilters(this);
  }

  /** Called by the filters when all of them let the request pass. */
  routeRequest(): void {
    if (this.isDone) return;
    const { virtualHost, route, state } = this;
    if (virtualHost !== undefined && needsTlsRedirect(virtualHost, state, state.isInternal)) {
      const location = `https://${state.authority}${state.path}`;
      this.sendLocalReply({
        status: 301,
        body: "",
        flag: undefined,
        details: "direct_response",
        headers: [["location", location]],
      });
      return;
    }
    if (virtualHost === undefined || route === undefined) {
      this.sendLocalReply(LOCAL_REPLY.routeNotFound);
      return;
    }
    state.routeName = route.name === "" ? undefined : route.name;
    switch (route.action.kind) {
      case "redirect": {
        const location = redirectLocation(route.action, state, route);
        this.sendLocalReply({
          status: route.action.code,
          body: "",
          flag: undefined,
          details: "direct_response",
          headers: [["location", location]],
        });
        return;
      }
      case "direct": {
        const { status, body, bodyFormat } = route.action;
        const text = bodyFormat === undefined ? body : bodyFormat(state);
        this.sendLocalReply({ status, body: text, flag: undefined, details: "direct_response" });
        return;
      }
      case "route":
        this.#routeTo(route.action, virtualHost);
    }
  }

  get upstreamAlpn(): string | undefined {
    return this.context.config.upstreamAlpn;
  }

  waitThen(delayMs: number, then: () => void): void {
    this.#afterWait = then;
    this.#waitTimer ??= new WheelEntry(this);
    this.context.wheel.arm(this.#waitTimer, delayMs);
  }

  // ── from the downstream connection ──

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    this.state.bytesReceived += end - start;
    for (const mirror of this.#mirrors) mirror.write(buffer, start, end);
    const connection = this.#connection;
    if (connection !== undefined && !connection.writeBody(buffer, start, end)) this.#down.pauseReading();
    if (connection !== undefined && !this.#retainsBody) return;
    this.#body.push(Buffer.from(buffer.subarray(start, end)));
    this.#bodyBytes += end - start;
    if (this.#bodyBytes <= this.context.bufferLimit) return;
    if (connection === undefined) this.#down.pauseReading();
    else this.#dropBody();
  }

  onRequestEnd(trailers: HeaderBlock | undefined): void {
    this.#isRequestDone = true;
    this.#trailers = trailers;
    this.state.requestDurationMs = this.context.clock.monotonic() - this.state.startedAt;
    if (this.#routeTimer !== undefined) this.context.wheel.cancel(this.#routeTimer);
    for (const mirror of this.#mirrors) mirror.end(trailers);
    this.#connection?.endRequest(trailers);
    this.#armTimeouts();
  }

  onDownstreamPause(): void {
    if (this.#connection !== undefined && !this.#connection.flush() && !this.isDone) this.#down.pauseReading();
    for (const mirror of this.#mirrors) mirror.flush();
  }

  onDownstreamWritable(): void {
    this.#connection?.resume();
  }

  /** The client went away. */
  onDownstreamReset(details: string): void {
    if (this.isDone) return;
    this.state.addFlag("DC");
    this.state.responseCodeDetails ??= details;
    if (!this.#responseStarted) this.state.responseCode = 0;
    this.context.stats.rqRxReset.add(1);
    this.#finish();
  }

  onIdleTimeout(): void {
    this.context.stats.rqTimeout.add(1);
    this.sendLocalReply(streamIdle(this.#isRequestDone));
  }

  onTunnelEnd(): void {
    this.#connection?.endTunnel();
  }

  // ── from the attempts ──

  onAttemptReady(attempt: UpstreamRequest, connection: UpstreamConnection): void {
    const { state, head } = this;
    this.#connection = connection;
    state.upstreamLocalAddress = connection.localAddress;
    this.upstreamPrincipal = connection.peerPrincipal;
    connection.begin(attempt, {
      kind: "request",
      method: state.method,
      target: state.path,
      headers: state.headers,
      framing: head.framing,
      contentLength: head.contentLength,
    });
    for (const piece of this.#body) connection.writeBody(piece, 0, piece.length);
    if (!this.#retainsBody) this.#dropBody();
    if (this.#isRequestDone) connection.endRequest(this.#trailers);
    // A request without body is complete already; its end event follows at once and this head goes out with it.
    if (this.#isRequestDone || head.framing !== "none") connection.flush();
    this.#down.resumeReading();
  }

  onAttemptInformational(head: ResponseHead): void {
    this.#down.sendInformational(head);
    this.#down.flush();
  }

  onAttemptHead(attempt: UpstreamRequest, head: ResponseHead): void {
    if (attempt !== this.#attempt || this.isDone) return;
    this.lastActivity = this.context.clock.monotonic();
    if (this.#retry?.wantsStatus(head, this.state) === true && head.status !== 101) {
      if (this.#canRetry()) {
        attempt.cancel();
        this.#scheduleRetry();
        return;
      }
    } else if (this.#retry !== undefined && this.state.upstreamRequestAttemptCount > 1)
      attempt.cluster.stats.rqRetrySuccess.add(1);
    this.#respond(attempt, head);
  }

  onAttemptBody(attempt: UpstreamRequest, buffer: Buffer, start: number, end: number): void {
    if (attempt !== this.#attempt || this.isDone) return;
    this.state.bytesSent += end - start;
    if (!this.#down.sendBody(buffer, start, end)) this.#connection?.pause();
  }

  onAttemptTrailers(attempt: UpstreamRequest, headers: HeaderBlock): void {
    if (attempt === this.#attempt && !this.isDone) this.state.responseTrailers = headers;
  }

  onAttemptEnd(attempt: UpstreamRequest): void {
    if (attempt !== this.#attempt || this.isDone) return;
    this.#connection = undefined;
    const now = this.context.clock.monotonic();
    attempt.cluster.stats.rqTime.observe(now - attempt.startedAt);
    if (!this.#isRequestDone || this.isTunnel) this.#down.closeAfterStream();
    this.#down.sendEnd(this.state.responseTrailers);
    this.#down.flush();
    this.#finish();
  }

  onAttemptReset(attempt: UpstreamRequest, reason: ResetReason): void {
    if ((this.#attempt !== undefined && attempt !== this.#attempt) || this.isDone) return;
    const isStarted = this.#connection !== undefined;
    this.#connection = undefined;
    if (this.#responseStarted) {
      this.state.addFlag(resetFlag(reason));
      this.state.responseCodeDetails = `upstream_reset_after_response_started{${reason.kind.replaceAll("-", "_")}}`;
      this.#down.reset();
      this.#finish();
      return;
    }
    if (this.#retry?.wantsReset(reason, isStarted) === true && this.#canRetry()) {
      this.#scheduleRetry();
      return;
    }
    if (reason.kind === "connect-failure") this.state.upstreamTransportFailureReason = reason.detail;
    this.sendLocalReply(upstreamReset(reason, this.state.upstreamRequestAttemptCount > 1));
  }

  onAttemptWritable(): void {
    this.#down.resumeReading();
  }

  onAttemptPause(attempt: UpstreamRequest): void {
    if (attempt === this.#attempt && !this.#down.flush()) this.#connection?.pause();
  }

  onPerTryTimeout(attempt: UpstreamRequest): void {
    if (attempt !== this.#attempt || this.isDone || this.#responseStarted) return;
    this.#connection = undefined;
    if (this.#retry?.wantsReset({ kind: "local-reset" }, true) === true && this.#canRetry()) this.#scheduleRetry();
    else this.sendLocalReply(LOCAL_REPLY.perTryTimeout);
  }

  onTimer(entry: WheelEntry): void {
    if (this.isDone) return;
    if (entry === this.#waitTimer) {
      const then = this.#afterWait;
      this.#afterWait = undefined;
      then?.();
    } else if (entry === this.#durationTimer) this.sendLocalReply(maxStreamDuration(this.#isRequestDone));
    else if (!this.#isRequestDone) this.sendLocalReply(LOCAL_REPLY.requestTimeout);
    else {
      this.cluster?.stats.rqTimeout.add(1);
      this.sendLocalReply(LOCAL_REPLY.routeTimeout);
    }
  }

  // ── responses ──

  sendLocalReply(reply: LocalReply): void {
    if (this.isDone) return;
    const { state, context } = this;
    this.#cancelUpstream();
    if (reply.flag !== undefined) state.addFlag(reply.flag);
    state.responseCodeDetails = reply.details;
    if (this.#responseStarted) {
      this.#down.reset();
      this.#finish();
      return;
    }
    this.#responseStarted = true;
    const isGrpc = state.headers.get("content-type")?.startsWith("application/grpc") === true;
    const status = isGrpc ? 200 : reply.status;
    const body = isGrpc ? "" : reply.body;
    const headers = createHeaderBlock(reply.headers ?? []);
    if (body !== "") headers.set("content-type", "text/plain");
    if (isGrpc) {
      headers.set("content-type", "application/grpc");
      headers.set("grpc-status", String(grpcStatusOf(reply.status)));
      if (reply.body !== "") headers.set("grpc-message", encodeURIComponent(reply.body).replace(/%20/g, " "));
    }
    state.responseCode = status;
    state.responseHeaders = headers;
    applyResponseMutations(this, headers);
    context.telemetry?.onResponse(this, headers, undefined);
    finalizeResponse(this, headers);
    const close = reply.close === true || (!this.#isRequestDone && this.head.framing !== "none");
    const length = Buffer.byteLength(body, "latin1");
    this.#down.sendHead({
      kind: "response",
      status,
      headers,
      framing: length === 0 ? "none" : "length",
      contentLength: length,
      close: close || context.isDraining(),
      requestMethod: state.method,
      requestMinor: this.head.minor,
    });
    if (close) this.#down.closeAfterStream();
    if (length > 0) this.#down.sendBody(Buffer.from(body, "latin1"), 0, length);
    state.bytesSent += length;
    this.#down.sendEnd(undefined);
    this.#down.flush();
    this.#finish();
  }

  #respond(attempt: UpstreamRequest, head: ResponseHead): void {
    const { state, context } = this;
    this.#responseStarted = true;
    this.#dropBody();
    if (this.#routeTimer !== undefined && !this.#isRequestDone) context.wheel.cancel(this.#routeTimer);
    const { headers } = head;
    state.responseCode = head.status;
    state.responseHeaders = headers;
    state.responseCodeDetails = "via_upstream";
    state.responseDurationMs = this.lastActivity - state.startedAt;
    this.isTunnel = head.framing === "tunnel";
    finalizeResponse(this, headers, head, attempt);
    context.telemetry?.onResponse(this, headers, attempt.host);
    applyResponseMutations(this, headers);
    this.#down.sendHead({
      kind: "response",
      status: head.status,
      headers,
      framing: head.framing,
      contentLength: head.contentLength,
      close: context.isDraining() && !this.isTunnel,
      requestMethod: state.method,
      requestMinor: this.head.minor,
    });
    if (!this.isTunnel) return;
    if (this.#routeTimer !== undefined) context.wheel.cancel(this.#routeTimer);
    this.#down.closeAfterStream();
    this.#down.flush();
    this.#down.startTunnel();
  }

  // ── routing ──

  #resolveRoute(): void {
    const { routes } = this.context.config;
    this.table = routes.kind === "inline" ? routes.table : this.snapshot.routes.get(routes.name);
    this.virtualHost = this.table === undefined ? undefined : findVirtualHost(this.table, this.state.authority);
    this.route = this.virtualHost === undefined ? undefined : findRoute(this.virtualHost, this.state, this.random);
  }

  #allowsUpgrade(type: string): boolean {
    const name = type.toLowerCase();
    const own = this.route?.action.kind === "route" ? this.route.action.upgrades.get(name) : undefined;
    return own ?? this.context.config.upgrades.get(name) ?? false;
  }

  #routeTo(action: RouteAction, virtualHost: VirtualHost): void {
    const { state } = this;
    this.choice = pickCluster(action.target, state, this.random);
    this.cluster = this.snapshot.clusters.get(this.choice.name);
    if (this.cluster === undefined) {
      this.sendLocalReply(clusterNotFound(action.clusterNotFoundCode));
      return;
    }
    state.upstreamCluster = this.cluster.config.name;
    const policy = action.retryPolicy ?? virtualHost.retryPolicy;
    this.#retry = policy === undefined ? undefined : createRetryState(policy, state);
    this.#retainsBody = this.#retry !== undefined && this.head.framing !== "none";
    rewriteRequest(this, action);
    applyRequestMutations(this);
    if (action.timeoutMs > 0 && !this.context.suppressEnvoyHeaders)
      state.headers.set("x-envoy-expected-rq-timeout-ms", String(action.timeoutMs));
    this.context.telemetry?.onUpstreamRequest(this);
    if (action.mirrors.length > 0) this.#mirrors = startMirrors(this, action);
    this.#tryUpstream();
  }

  #tryUpstream(): void {
    const { cluster, state, route } = this;
    if (cluster === undefined || route?.action.kind !== "route") return;
    const policy = this.#retry?.policy;
    const host = cluster.pick({
      destination: state.downstream.destination,
      metadataMatch: this.choice?.weighted?.metadataMatch ?? route.action.metadataMatch,
      avoid: policy?.avoidsPreviousHosts === true ? this.#tried : undefined,
      avoidAttempts:
        policy?.avoidsPreviousHosts === true && this.#tried !== undefined
          ? Math.max(3, policy.hostSelectionAttempts)
          : 0,
    });
    if (host === undefined) {
      this.sendLocalReply(LOCAL_REPLY.noHealthyUpstream);
      return;
    }
    state.upstreamRequestAttemptCount += 1;
    state.upstreamHost = host.name;
    this.upstreamHost = host;
    if (this.virtualHost?.includeRequestAttemptCount === true)
      state.headers.set("x-envoy-attempt-count", String(state.upstreamRequestAttemptCount));
    if (route.action.hostRewrite?.kind === "auto" && host.hostname !== "") state.headers.set("host", host.hostname);
    const attempt = new UpstreamRequest(this, cluster, host, this.context.clock.monotonic());
    this.#attempt = attempt;
    if (policy !== undefined && this.#isRequestDone && policy.perTryTimeoutMs > 0)
      attempt.armPerTry(policy.perTryTimeoutMs);
    attempt.start(cluster.limits(route.action.isHighPriority));
  }

  #armTimeouts(): void {
    if (this.isDone || this.isTunnel || this.route?.action.kind !== "route" || this.cluster === undefined) return;
    const { timeoutMs } = this.route.action;
    if (timeoutMs > 0) this.#armRoute(timeoutMs);
    const perTry = this.#retry?.policy.perTryTimeoutMs ?? 0;
    if (perTry > 0 && !this.#responseStarted) this.#attempt?.armPerTry(perTry);
  }

  #armRoute(timeoutMs: number): void {
    this.#routeTimer ??= new WheelEntry(this);
    this.context.wheel.arm(this.#routeTimer, timeoutMs);
  }

  // ── retries ──

  #canRetry(): boolean {
    const { cluster } = this;
    const retry = this.#retry;
    if (cluster === undefined || retry === undefined || this.#responseStarted) return false;
    if (this.head.framing !== "none" && !this.#retainsBody) return false;
    if (retry.remaining <= 0) {
      this.state.addFlag("URX");
      cluster.stats.rqRetryLimitExceeded.add(1);
      return false;
    }
    if (cluster.activeRetries >= cluster.limits(false).maxRetries) {
      this.state.addFlag("UO");
      cluster.stats.rqRetryOverflow.add(1);
      return false;
    }
    return true;
  }

  #scheduleRetry(): void {
    const { cluster } = this;
    const retry = this.#retry;
    if (cluster === undefined || retry === undefined) return;
    this.#connection = undefined;
    if (this.upstreamHost !== undefined) {
      this.#tried ??= [];
      this.#tried.push(this.upstreamHost);
    }
    this.#attempt = undefined;
    retry.take();
    cluster.stats.rqRetry.add(1);
    cluster.activeRetries += 1;
    this.waitThen(retry.delayMs(this.context.random), () => {
      cluster.activeRetries -= 1;
      this.#tryUpstream();
    });
  }

  // ── the end ──

  #dropBody(): void {
    this.#retainsBody = false;
    this.#body = [];
    this.#bodyBytes = 0;
  }

  #cancelUpstream(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#connection = undefined;
    attempt?.cancel();
    if (
      this.#afterWait !== undefined &&
      this.#attempt === undefined &&
      this.#tried !== undefined &&
      this.cluster !== undefined
    )
      this.cluster.activeRetries -= 1;
    this.#afterWait = undefined;
  }

  #finish(): void {
    if (this.isDone) return;
    this.isDone = true;
    const { context, state } = this;
    this.#cancelUpstream();
    this.#dropBody();
    if (!this.#isRequestDone) for (const mirror of this.#mirrors) mirror.cancel();
    for (const timer of [this.#routeTimer, this.#durationTimer, this.#waitTimer])
      if (timer !== undefined) context.wheel.cancel(timer);
    state.durationMs = context.clock.monotonic() - state.startedAt;
    if (state.responseDurationMs !== undefined)
      state.responseTxDurationMs = state.durationMs - state.responseDurationMs;
    context.stats.rqActive.add(-1);
    context.stats.rqTime.observe(state.durationMs);
    context.stats.rqByClass[Math.floor(state.responseCode / 100)]?.add(1);
    context.telemetry?.onComplete(this);
    context.writeLogs(state);
    this.#down.onStreamDone();
  }
}
