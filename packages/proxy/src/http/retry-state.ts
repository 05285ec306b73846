/**
 * Whether an outcome is tried again. Pure but for its counters. Overflow is never retried, and nothing is once the downstream got bytes.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/router_filter#x-envoy-retry-on
 */
import { GrpcStatus, type HeaderBlock, parseGrpcStatus, type ResponseHead } from "@argyle/codec";
import type { RequestView } from "../config/header-matcher.ts";
import type { RetryPolicy } from "../config/retry-policy.ts";
import type { ResetReason } from "../local-reply.ts";

const GRPC_CONDITIONS = [
  ["cancelled", GrpcStatus.canceled],
  ["deadline-exceeded", GrpcStatus.deadlineExceeded],
  ["internal", GrpcStatus.internal],
  ["resource-exhausted", GrpcStatus.resourceExhausted],
  ["unavailable", GrpcStatus.unavailable],
] as const;

/** The conditions of retry_on as flags. */
interface RetryConditions {
  readonly is5xx: boolean;
  readonly isGatewayError: boolean;
  readonly isReset: boolean;
  readonly isResetBeforeRequest: boolean;
  readonly isConnectFailure: boolean;
  readonly isRefusedStream: boolean;
  /** Of responses that are nothing but their head (Trailers-Only). */
  readonly grpcStatuses: ReadonlySet<number>;
  readonly isRetriable4xx: boolean;
  readonly isRateLimited: boolean;
  readonly hasStatusCodes: boolean;
  readonly hasHeaders: boolean;
}

// hot: a policy lives as long as its route table, a request only looks its flags up.
const ofPolicy = new WeakMap<RetryPolicy, RetryConditions>();

/** Of a request that asks for retries where its route says nothing. */
const ASKED: RetryPolicy = {
  on: new Set(),
  numRetries: 1,
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  statusCodes: new Set(),
  retriableHeaders: [],
  retriableRequestHeaders: [],
  avoidsPreviousHosts: false,
  hostSelectionAttempts: 1,
  backoffMs: 25,
  maxBackoffMs: 250,
};

export function createRetryState(own: RetryPolicy | undefined, request: RequestView): RetryState | undefined {
  const { headers } = request;
  const asked = wantedByRequest(headers);
  const policy = own ?? ASKED;
  if (policy.on.size === 0 && asked === undefined) return undefined;
  for (const test of policy.retriableRequestHeaders) if (!test(request)) return undefined;
  let conditions = asked === undefined ? ofPolicy.get(policy) : undefined;
  if (conditions === undefined) {
    conditions = conditionsOf(policy.on, asked?.split(",").map((part) => part.trim()) ?? []);
    if (asked === undefined) ofPolicy.set(policy, conditions);
  }
  const wanted = headers.get("x-envoy-max-retries");
  const count = wanted === undefined ? -1 : Number(wanted);
  return new RetryState(policy, conditions, Number.isInteger(count) && count >= 0 ? count : policy.numRetries);
}

export class RetryState {
  readonly policy: RetryPolicy;
  remaining: number;
  readonly #on: RetryConditions;
  #attempts = 0;

  constructor(policy: RetryPolicy, on: RetryConditions, retries: number) {
    this.policy = policy;
    this.#on = on;
    this.remaining = retries;
  }

  wantsStatus(head: ResponseHead, view: RequestView): boolean {
    const { status, headers } = head;
    const on = this.#on;
    if (headers.has("x-envoy-ratelimited")) return on.isRateLimited;
    if (status >= 500 && on.is5xx) return true;
    if (status >= 502 && status <= 504 && on.isGatewayError) return true;
    if (status === 409 && on.isRetriable4xx) return true;
    if (on.grpcStatuses.size > 0) {
      const grpc = parseGrpcStatus(headers.get("grpc-status"));
      if (grpc !== undefined && on.grpcStatuses.has(grpc)) return true;
    }
    if (on.hasStatusCodes && this.policy.statusCodes.has(status)) return true;
    if (!on.hasHeaders) return false;
    const { method, path, authority, scheme } = view;
    return this.policy.retriableHeaders.some((test) => test({ method, path, authority, scheme, headers }));
  }

  wantsReset(reason: ResetReason, isRequestStarted: boolean): boolean {
    const on = this.#on;
    if (reason.kind === "overflow") return false;
    if (on.is5xx || on.isGatewayError || on.isReset) return true;
    if (on.isConnectFailure && (reason.kind === "connect-failure" || reason.kind === "connect-timeout")) return true;
    if (on.isRefusedStream && reason.kind === "refused") return true;
    return on.isResetBeforeRequest && !isRequestStarted;
  }

  take(): void {
    this.remaining -= 1;
    this.#attempts += 1;
  }

  /** Milliseconds before the attempt that take() booked. */
  delayMs(random: () => number): number {
    const { backoffMs, maxBackoffMs } = this.policy;
    return random() * Math.min(backoffMs * 2 ** (this.#attempts - 1), maxBackoffMs);
  }
}

/** What the request itself asks for, in both of its headers. */
function wantedByRequest(headers: HeaderBlock): string | undefined {
  const http = headers.get("x-envoy-retry-on");
  const grpc = headers.get("x-envoy-retry-grpc-on");
  return http === undefined || grpc === undefined ? (http ?? grpc) : `${http},${grpc}`;
}

function conditionsOf(configured: ReadonlySet<string>, asked: readonly string[]): RetryConditions {
  const has = (name: string) => configured.has(name) || asked.includes(name);
  return {
    is5xx: has("5xx"),
    isGatewayError: has("gateway-error"),
    isReset: has("reset"),
    isResetBeforeRequest: has("reset-before-request"),
    isConnectFailure: has("connect-failure"),
    isRefusedStream: has("refused-stream"),
    grpcStatuses: new Set(GRPC_CONDITIONS.filter(([name]) => has(name)).map(([, status]) => status)),
    isRetriable4xx: has("retriable-4xx"),
    isRateLimited: has("envoy-ratelimited"),
    hasStatusCodes: has("retriable-status-codes"),
    hasHeaders: has("retriable-headers"),
  };
}
