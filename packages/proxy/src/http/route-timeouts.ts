/**
 * How long a request may take after it was read whole: what its route says; for gRPC what the client asks for in grpc-timeout, where the route lets it;
 * and what the mesh's own clients ask for in x-envoy-upstream-rq-* headers (from outside these were removed before). Headers that only tell the router
 * something end here, and grpc-timeout tells the upstream what is left.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/router_filter#http-headers-consumed
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto#envoy-v3-api-field-config-route-v3-routeaction-max-grpc-timeout
 */
import {
  createNameList,
  formatGrpcTimeout,
  type HeaderBlock,
  isGrpcContentType,
  parseGrpcTimeout,
} from "@argyle/codec";
import type { RetryPolicy } from "../config/retry-policy.ts";
import type { RouteAction } from "../config/route-action.ts";

export interface RouteTimeouts {
  /** From the end of the request to the end of the response; 0: none. */
  readonly routeMs: number;
  /** 0: none. */
  readonly perTryMs: number;
}

type OfRoute = Pick<RouteAction, "timeoutMs" | "maxGrpcTimeoutMs" | "grpcTimeoutOffsetMs">;

const FOR_THE_ROUTER = createNameList([
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
]);

/** `mayAsk`: the request comes from inside. */
export function routeTimeouts(
  action: OfRoute,
  policy: Pick<RetryPolicy, "perTryTimeoutMs"> | undefined,
  headers: HeaderBlock,
  mayAsk: boolean,
): RouteTimeouts {
  const asked = (name: string) => (mayAsk ? milliseconds(headers.get(name)) : undefined);
  const { maxGrpcTimeoutMs } = action;
  const isGrpc = maxGrpcTimeoutMs !== undefined && isGrpcContentType(headers.get("content-type"));
  const ofRoute = isGrpc ? grpcTimeout(maxGrpcTimeoutMs, action.grpcTimeoutOffsetMs, headers) : action.timeoutMs;
  const routeMs = asked("x-envoy-upstream-rq-timeout-ms") ?? ofRoute;
  const wantedMs = asked("x-envoy-upstream-rq-per-try-timeout-ms") ?? policy?.perTryTimeoutMs ?? 0;
  const perTryMs = routeMs > 0 && wantedMs >= routeMs ? 0 : wantedMs;
  if (isGrpc && (perTryMs || routeMs) > 0) headers.set("grpc-timeout", formatGrpcTimeout(perTryMs || routeMs));
  return { routeMs, perTryMs };
}

export function removeRouterHeaders(headers: HeaderBlock): void {
  headers.removeAll(FOR_THE_ROUTER);
}

function grpcTimeout(maxMs: number, offsetMs: number, headers: HeaderBlock): number {
  const asked = headers.get("grpc-timeout");
  let timeoutMs = asked === undefined ? 0 : Math.ceil(parseGrpcTimeout(asked) ?? 0);
  // An offset that would leave nothing would mean for ever.
  if (timeoutMs > offsetMs) timeoutMs -= offsetMs;
  return maxMs > 0 && (timeoutMs === 0 || timeoutMs > maxMs) ? maxMs : timeoutMs;
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
