/**
 * Whether an outcome is tried again. Pure but for its counters. Overflow is never retried, and nothing is once the downstream got bytes.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/router_filter#x-envoy-retry-on
 */
import type { ResponseHead } from "@argyle/codec";
import type { RequestView } from "../config/header-matcher.ts";
import type { RetryPolicy } from "../config/retry-policy.ts";
import type { ResetReason } from "../local-reply.ts";

export interface RetryState {
  readonly policy: RetryPolicy;
  readonly remaining: number;
  wantsStatus(head: ResponseHead, request: RequestView): boolean;
  wantsReset(reason: ResetReason, isRequestStarted: boolean): boolean;
  take(): void;
  /** Milliseconds before the attempt that take() booked. */
  delayMs(random: () => number): number;
}

export function createRetryState(policy: RetryPolicy, request: RequestView): RetryState | undefined {
  const { headers } = request;
  const asked = headers.get("x-envoy-retry-on");
  const on = asked === undefined ? policy.on : new Set([...policy.on, ...asked.split(",").map((s) => s.trim())]);
  if (on.size === 0 || policy.retriableRequestHeaders.some((test) => !test(request))) return undefined;
  const wanted = Number(headers.get("x-envoy-max-retries") ?? Number.NaN);
  let remaining = Number.isInteger(wanted) && wanted >= 0 ? wanted : policy.numRetries;
  let attempts = 0;
  return {
    policy,
    get remaining() {
      return remaining;
    },
    wantsStatus(head, view) {
      const { status } = head;
      if (head.headers.has("x-envoy-ratelimited")) return on.has("envoy-ratelimited");
      if (status >= 500 && on.has("5xx")) return true;
      if (status >= 502 && status <= 504 && on.has("gateway-error")) return true;
      if (status === 409 && on.has("retriable-4xx")) return true;
      if (on.has("retriable-status-codes") && policy.statusCodes.has(status)) return true;
      if (!on.has("retriable-headers")) return false;
      const response = { ...viewOf(view), headers: head.headers };
      return policy.retriableHeaders.some((test) => test(response));
    },
    wantsReset(reason, isRequestStarted) {
      if (reason.kind === "overflow") return false;
      if (on.has("5xx") || on.has("gateway-error") || on.has("reset")) return true;
      const isConnect = reason.kind === "connect-failure" || reason.kind === "connect-timeout";
      if (on.has("connect-failure") && isConnect) return true;
      return on.has("reset-before-request") && !isRequestStarted;
    },
    take() {
      remaining -= 1;
      attempts += 1;
    },
    delayMs(random) {
      return random() * Math.min(policy.backoffMs * 2 ** (attempts - 1), policy.maxBackoffMs);
    },
  };
}

function viewOf(view: RequestView): RequestView {
  const { method, path, authority, scheme, headers } = view;
  return { method, path, authority, scheme, headers };
}
