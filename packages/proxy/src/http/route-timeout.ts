/**
 * How long a request may take after it was read whole: the route's timeout, or for gRPC what the client asks for in grpc-timeout, where the route
 * lets it. The upstream is told what is left of it.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/route/v3/route_components.proto#envoy-v3-api-field-config-route-v3-routeaction-max-grpc-timeout
 */
import { formatGrpcTimeout, type HeaderBlock, isGrpcContentType, parseGrpcTimeout } from "@argyle/codec";
import type { RouteAction } from "../config/route-action.ts";

type Timeouts = Pick<RouteAction, "timeoutMs" | "maxGrpcTimeoutMs" | "grpcTimeoutOffsetMs" | "retryPolicy">;

/** Milliseconds; 0: none. Rewrites grpc-timeout where it counts. */
export function routeTimeout(action: Timeouts, headers: HeaderBlock): number {
  const { maxGrpcTimeoutMs } = action;
  if (maxGrpcTimeoutMs === undefined || !isGrpcContentType(headers.get("content-type"))) return action.timeoutMs;
  const timeoutMs = grpcTimeout(maxGrpcTimeoutMs, action.grpcTimeoutOffsetMs, headers.get("grpc-timeout"));
  const perTryMs = action.retryPolicy?.perTryTimeoutMs ?? 0;
  const expectedMs = perTryMs > 0 && (timeoutMs === 0 || perTryMs < timeoutMs) ? perTryMs : timeoutMs;
  if (expectedMs > 0) headers.set("grpc-timeout", formatGrpcTimeout(expectedMs));
  return timeoutMs;
}

function grpcTimeout(maxMs: number, offsetMs: number, asked: string | undefined): number {
  let timeoutMs = asked === undefined ? 0 : Math.ceil(parseGrpcTimeout(asked) ?? 0);
  // An offset that would leave nothing would mean for ever.
  if (timeoutMs > offsetMs) timeoutMs -= offsetMs;
  return maxMs > 0 && (timeoutMs === 0 || timeoutMs > maxMs) ? maxMs : timeoutMs;
}
