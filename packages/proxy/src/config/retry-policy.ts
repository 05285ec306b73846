/** envoy.config.route.v3.RetryPolicy, compiled: which outcomes are retried, how often, and how long to wait. */
import type { Fields } from "./fields.ts";
import { compileHeaderMatcher, type HeaderPredicate } from "./header-matcher.ts";

export interface RetryPolicy {
  readonly on: ReadonlySet<string>;
  readonly numRetries: number;
  /** 0: the route's own timeout only. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly statusCodes: ReadonlySet<number>;
  readonly retriableHeaders: readonly HeaderPredicate[];
  readonly retriableRequestHeaders: readonly HeaderPredicate[];
  readonly avoidsPreviousHosts: boolean;
  readonly hostSelectionAttempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

export function compileRetryPolicy(fields: Fields): RetryPolicy {
  const on = new Set(
    fields
      .string("retry_on")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );
  const statusCodes = new Set(fields.numbers("retriable_status_codes"));
  const backoff = fields.object("retry_back_off");
  const backoffMs = backoff?.duration("base_interval", 25) ?? 25;
  const predicates = fields.list("retry_host_predicate").map((item) => item.string("name"));
  return {
    on,
    numRetries: fields.number("num_retries", 1),
    perTryTimeoutMs: fields.duration("per_try_timeout", 0),
    perTryIdleTimeoutMs: fields.duration("per_try_idle_timeout", 0),
    statusCodes,
    retriableHeaders: fields.list("retriable_headers").map(compileHeaderMatcher),
    retriableRequestHeaders: fields.list("retriable_request_headers").map(compileHeaderMatcher),
    avoidsPreviousHosts: predicates.some((name) => name.includes("previous_hosts")),
    hostSelectionAttempts: fields.number("host_selection_retry_max_attempts", 1),
    backoffMs,
    maxBackoffMs: backoff?.duration("max_interval", backoffMs * 10) ?? backoffMs * 10,
  };
}
