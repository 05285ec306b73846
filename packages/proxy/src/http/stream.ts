/**
 * The life of one request: filters → route → cluster → attempts (with retries) → response → log and metrics. It owns no socket: the downstream
 * connection feeds it and writes for it, attempts bring the response.
 *
 *   start ─► filters ─► routed ─► attempting ⇄ waiting to retry ─► responding ─► done
 *                └──────────┴──── local reply ───────────────────────────────────►┘
 * Invariant: exactly one response head goes downstream, and finish() runs exactly once, whoever ends the stream.
 */
import type { HeaderBlock, RequestHead, ResponseHead } from "@argyle/codec";
import type { RouteAction } from "../config/route-action.ts";
import type { Route, RouteTable, VirtualHost } from "../config/route-config.ts";
import { afterWrites, type TurnEndTarget } from "../io/turn-end.ts";
import {
  clusterNotFound,
  LOCAL_REPLY,
  type LocalReply,
  maxStreamDuration,
  type ResetReason,
  resetFlag,
  resetText,
  routeMaxDuration,
  streamIdle,
} from "../local-reply.ts";
import { type ClusterChoice, pickCluster } from "../router.ts";
import type { Workload } from "../stats/peer-metadata.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import { admitRequest } from "./admit-request.ts";
import { applyRequestMutations, rewriteRequest } from "./apply-route.ts";
import { Attempts } from "./attempts.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import { runFilters, type StreamFilters } from "./filter-chain.ts";
import type { GrpcMessages } from "./grpc-messages.ts";
import type { HttpContext, Snapshot } from "./http-context.ts";
import type { MirrorRequest } from "./mirror.ts";
import { RequestBody } from "./request-body.ts";
import { createRetryState } from "./retry-state.ts";
import { decideRoute } from "./route-decision.ts";
import { type RouteTimeouts, removeRouterHeaders, routeTimeouts } from "./route-timeouts.ts";
import { sendLocalResponse, sendUpstreamHead } from "./send-response.ts";
import { startMirrors } from "./start-mirrors.ts";
import type { StreamState } from "./stream-state.ts";
import { StreamTimers, type StreamTimersOwner } from "./stream-timers.ts";
import type { TraceContext } from "./trace-context.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

const NO_TIMEOUTS: RouteTimeouts = { routeMs: 0, perTryMs: 0 };
const NO_MIRRORS: readonly MirrorRequest[] = [];

export class HttpStream implements StreamTimersOwner, TurnEndTarget {
  readonly context: HttpContext;
  readonly state: StreamState;
  readonly head: RequestHead;
  readonly random: number;
  readonly snapshot: Snapshot;
  table: RouteTable | undefined;
  virtualHost: VirtualHost | undefined;
  route: Route | undefined;
  choice: ClusterChoice | undefined;
  cluster: Cluster | undefined;
  filters: StreamFilters | undefined;
  trace: TraceContext | undefined;
  lastActivity: number;
  /** An upgrade or CONNECT: whatever follows it is for the tunnel, or for nobody when it is refused. */
  wantsTunnel = false;
  isTunnel = false;
  isDone = false;
  /** The request was read whole; then its trailers are known. */
  isRequestDone = false;
  trailers: HeaderBlock | undefined;
  /** A response, ours or the upstream's, began to go downstream. */
  hasResponded = false;
  upstreamHost: Host | undefined;
  upstreamPrincipal: string | undefined;
  /** The workload on the other side, from its metadata headers. */
  peer: Workload | undefined;
  peerAsksForMetadata = false;
  messages: GrpcMessages | undefined;
  /** A cookie that binds the client to its host from now on. */
  setCookie: string | undefined;
  readonly #down: DownstreamSide;
  readonly #timers: StreamTimers;
  timeouts: RouteTimeouts = NO_TIMEOUTS;
  /** Undefined for a request without body. */
  readonly #body: RequestBody | undefined;
  #attempts: Attempts | undefined;
  #mirrors = NO_MIRRORS;

  constructor(context: HttpContext, down: DownstreamSide, state: StreamState, head: RequestHead) {
    this.context = context;
    this.#down = down;
    this.state = state;
    this.head = head;
    this.lastActivity = state.startedAt;
    this.random = Math.floor(context.random() * 0x7fffffff);
    this.snapshot = context.snapshot();
    this.#timers = new StreamTimers(this, context.wheel);
    this.#body = head.framing === "none" ? undefined : new RequestBody();
    context.stats.rqTotal.add(1);
    context.stats.rqActive.add(1);
  }

  start(): void {
    const refused = admitRequest(this, this.#down);
    if (refused !== undefined) {
      this.sendLocalReply(refused);
      return;
    }
    const { config } = this.context;
    if (config.maxStreamDurationMs > 0) this.#timers.armDuration(config.maxStreamDurationMs);
    if (config.requestTimeoutMs > 0) this.#timers.armRoute(config.requestTimeoutMs, this.state.startedAt);
    runFilters(this);
  }

  /** Called by the filters when all of them let the request pass. */
  routeRequest(): void {
    if (this.isDone) return;
    const decision = decideRoute(this);
    if (decision.kind === "reply") this.sendLocalReply(decision.reply);
    else this.#routeTo(decision);
  }

  waitThen(delayMs: number, then: () => void): void {
    this.#timers.pause(delayMs, () => {
      this.lastActivity = this.context.clock.monotonic();
      then();
    });
  }

  // ── from the downstream connection ──

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    this.state.bytesReceived += end - start;
    this.messages?.requests.push(buffer, start, end);
    for (const mirror of this.#mirrors) mirror.write(buffer, start, end);
    const isConnected = this.#attempts?.isConnected === true;
    if (this.#attempts?.writeBody(buffer, start, end) === false) this.#down.pauseReading();
    const body = this.#body;
    if (body === undefined || (isConnected && !body.isRetained)) return;
    body.keep(buffer, start, end);
    if (body.bytes <= this.context.bufferLimit) return;
    if (isConnected) body.drop();
    else this.#down.pauseReading();
  }

  onRequestEnd(trailers: HeaderBlock | undefined): void {
    this.isRequestDone = true;
    this.trailers = trailers;
    const now = this.#down.lastActivity;
    this.state.requestDurationMs = now - this.state.startedAt;
    for (const mirror of this.#mirrors) mirror.end(trailers);
    this.#attempts?.endRequest(trailers);
    this.#armTimeouts(now);
  }

  onDownstreamPause(): void {
    if (this.#attempts?.flush() === false && !this.isDone) this.#down.pauseReading();
    for (const mirror of this.#mirrors) mirror.flush();
  }

  onDownstreamWritable(): void {
    this.#attempts?.resume();
  }

  /** The client went away. */
  onDownstreamReset(details: string, flag = "DC"): void {
    if (this.isDone) return;
    this.state.addFlag(flag);
    this.state.responseCodeDetails ??= details;
    if (!this.hasResponded) this.state.responseCode = 0;
    this.context.stats.rqRxReset.add(1);
    this.#finish();
  }

  onIdleTimeout(): void {
    this.context.stats.rqTimeout.add(1);
    this.sendLocalReply(streamIdle(this.isRequestDone));
  }

  onTunnelEnd(): void {
    this.#attempts?.endTunnel();
  }

  // ── from upstream ──

  onUpstreamHead(attempt: UpstreamRequest, head: ResponseHead): void {
    this.hasResponded = true;
    this.lastActivity = attempt.lastRead;
    if (!this.isRequestDone) this.#timers.cancelRoute();
    this.isTunnel = head.framing === "tunnel";
    sendUpstreamHead(this, this.#down, attempt, head);
    if (!this.isTunnel) return;
    this.#timers.cancelRoute();
    this.#down.closeAfterStream();
    this.#down.flush();
    this.#down.startTunnel();
  }

  onUpstreamEnd(now: number): void {
    if (!this.isRequestDone || this.isTunnel) this.#down.closeAfterStream();
    this.#down.sendEnd(this.state.responseTrailers);
    this.#down.flush();
    this.#finish(now);
  }

  /** The response broke off after it began: the client must not take it for whole. */
  onUpstreamCut(reason: ResetReason): void {
    this.state.addFlag(resetFlag(reason));
    this.state.responseCodeDetails = `upstream_reset_after_response_started{${resetText(reason).reason.replaceAll(" ", "_")}}`;
    this.#down.reset();
    this.#finish();
  }

  // ── time-outs ──

  onDurationTimer(): void {
    const ofRoute = this.route?.action.kind === "route" && (this.route.action.maxStreamDurationMs ?? 0) > 0;
    this.sendLocalReply(ofRoute ? routeMaxDuration(this.isRequestDone) : maxStreamDuration(this.isRequestDone));
  }

  onRouteTimer(): void {
    if (this.isDone) return;
    if (this.isRequestDone) this.cluster?.stats.rqTimeout.add(1);
    this.sendLocalReply(this.isRequestDone ? LOCAL_REPLY.routeTimeout : LOCAL_REPLY.requestTimeout);
  }

  // ── responses ──

  sendLocalReply(reply: LocalReply): void {
    if (this.isDone) return;
    const { state } = this;
    this.#cancelUpstream();
    if (reply.flag !== undefined) state.addFlag(reply.flag);
    state.responseCodeDetails = reply.details;
    if (this.hasResponded) {
      this.#down.reset();
      this.#finish();
      return;
    }
    this.hasResponded = true;
    sendLocalResponse(this, this.#down, reply);
    this.#finish();
  }

  #routeTo(action: RouteAction): void {
    const { state, virtualHost, snapshot } = this;
    const choice = pickCluster(action.target, state, this.random);
    this.choice = choice;
    const cluster = snapshot.clusters.get(choice.name);
    if (cluster === undefined) {
      this.sendLocalReply(clusterNotFound(action.clusterNotFoundCode));
      return;
    }
    this.cluster = cluster;
    state.upstreamCluster = cluster.config.name;
    const policy = action.retryPolicy ?? virtualHost?.retryPolicy;
    const retry = createRetryState(policy, state);
    this.timeouts = routeTimeouts(action, policy, state.headers, state.isInternal);
    if (state.isInternal) removeRouterHeaders(state.headers);
    rewriteRequest(this, action);
    applyRequestMutations(this);
    const expectedMs = this.timeouts.perTryMs || this.timeouts.routeMs;
    if (expectedMs > 0 && !this.context.suppressEnvoyHeaders)
      state.headers.setOwn("x-envoy-expected-rq-timeout-ms", String(expectedMs));
    if (action.maxStreamDurationMs !== undefined && action.maxStreamDurationMs > 0)
      this.#timers.armDuration(action.maxStreamDurationMs);
    this.context.telemetry?.onUpstreamRequest(this);
    if (action.mirrors.length > 0) this.#mirrors = startMirrors(this, action);
    this.#attempts = new Attempts(this, this.#down, action, cluster, retry, this.#body);
    this.#attempts.start();
    // Else they run from the end of the request.
    if (this.isRequestDone) this.#armTimeouts(this.context.clock.monotonic());
  }

  #armTimeouts(now: number): void {
    this.#timers.cancelRoute();
    if (this.isDone || this.isTunnel || this.#attempts === undefined || this.route?.action.kind !== "route") return;
    if (this.timeouts.routeMs > 0) this.#timers.armRoute(this.timeouts.routeMs, now);
    if (!this.hasResponded) this.#attempts.armPerTry();
  }

  // ── the end ──

  #cancelUpstream(): void {
    this.#attempts?.cancel();
    this.#timers.forgetPause();
  }

  #finish(now = this.context.clock.monotonic()): void {
    if (this.isDone) return;
    this.isDone = true;
    const { context, state } = this;
    this.#cancelUpstream();
    this.#body?.drop();
    if (!this.isRequestDone) for (const mirror of this.#mirrors) mirror.cancel();
    this.#timers.cancelAll();
    state.durationMs = now - state.startedAt;
    if (state.responseDurationMs !== undefined)
      state.responseTxDurationMs = state.durationMs - state.responseDurationMs;
    context.stats.rqActive.add(-1);
    afterWrites(this);
    this.#down.onStreamDone(now);
  }
  /** What nobody waits for. */
  onTurnEnd(): void {
    const { context, state } = this;
    const { stats, telemetry } = context;
    stats.rqTime.observe(state.durationMs ?? 0);
    const codeClass = Math.floor(state.responseCode / 100);
    stats.rqByClass[codeClass]?.add(1);
    stats.listenerRqByClass[codeClass]?.add(1);
    telemetry?.onComplete(this);
    context.writeLogs(state);
  }
}
