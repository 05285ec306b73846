/**
 * How long a request may take: what its route says, and what the mesh's own clients ask for in x-envoy-upstream-rq-* headers (from outside
 * these were removed before). Headers that only tell the router something end here.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/router_filter#http-headers-consumed
 */
import type { HeaderBlock } from "@argyle/codec";
import type { RetryPolicy } from "../config/retry-policy.ts";
import type { RouteAction } from "../config/route-action.ts";

export interface RouteTimeouts {
  /** From the end of the request to the end of the response; 0: none. */
  readonly routeMs: number;
  /** 0: none. */
  readonly perTryMs: number;
}

const FOR_THE_ROUTER = [
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
] as const;

export function routeTimeouts(
  action: RouteAction,
  policy: RetryPolicy | undefined,
  headers: HeaderBlock,
  mayAsk: boolean,
): RouteTimeouts {
  const asked = (name: string) => (mayAsk ? milliseconds(headers.get(name)) : undefined);
  const routeMs = asked("x-envoy-upstream-rq-timeout-ms") ?? action.timeoutMs;
  const perTryMs = asked("x-envoy-upstream-rq-per-try-timeout-ms") ?? policy?.perTryTimeoutMs ?? 0;
  return { routeMs, perTryMs: routeMs > 0 && perTryMs >= routeMs ? 0 : perTryMs };
}

export function removeRouterHeaders(headers: HeaderBlock): void {
  for (const name of FOR_THE_ROUTER) headers.remove(name);
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
