/** What happens to a request on its route: CORS, injected faults, retries. Source: Istio reference, networking/virtual-service. */
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkDuration, checkHeaderName, checkPercentage, checkStringMatch } from "./values.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

export function checkCors(policy: Tree, path: string, to: Findings): void {
  for (const [index, origin] of listAt(policy, "allowOrigins").entries()) {
    checkStringMatch(origin, `${path}.allowOrigins[${index}]`, to);
  }
  for (const [index, method] of listAt(policy, "allowMethods").entries()) {
    if (!METHODS.includes(String(method)))
      to.error(`${path}.allowMethods[${index}]`, `"${String(method)}" is not a supported HTTP method`);
  }
  for (const field of ["allowHeaders", "exposeHeaders"]) {
    for (const [index, name] of listAt(policy, field).entries()) {
      checkHeaderName(String(name), `${path}.${field}[${index}]`, to);
    }
  }
  checkDuration(policy.maxAge, `${path}.maxAge`, to, true);
  const maxAge = textAt(policy, "maxAge") ?? "";
  if (/\dms$|\.\d+s$/.test(maxAge))
    to.error(`${path}.maxAge`, "max_age duration is accurate only to seconds precision");
}

const GRPC_STATUSES = (
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED " +
  "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split(" ");

export function checkFault(fault: Tree, path: string, to: Findings): void {
  const { abort, delay } = fault;
  if (!isTree(abort) && !isTree(delay)) to.error(path, "HTTP fault injection must have an abort and/or a delay");
  if (isTree(abort)) checkAbort(abort, `${path}.abort`, to);
  if (isTree(delay)) checkDelay(delay, `${path}.delay`, to);
}

function checkAbort(abort: Tree, path: string, to: Findings): void {
  checkPercentage(abort.percentage, `${path}.percentage`, to);
  const grpcStatus = textAt(abort, "grpcStatus");
  const http2Error = textAt(abort, "http2Error");
  const httpStatus = numberAt(abort, "httpStatus");
  if (grpcStatus !== undefined) {
    if (!GRPC_STATUSES.includes(grpcStatus))
      to.error(`${path}.grpcStatus`, `gRPC status "${grpcStatus}" is not a supported code`);
  } else if (http2Error === undefined && (httpStatus === undefined || httpStatus < 200 || httpStatus > 600)) {
    to.error(`${path}.httpStatus`, `HTTP status ${httpStatus ?? 0} is not in range 200-599`);
  }
}

function checkDelay(delay: Tree, path: string, to: Findings): void {
  checkPercentage(delay.percent, `${path}.percent`, to);
  checkPercentage(delay.percentage, `${path}.percentage`, to);
  if (!isAbsent(delay.exponentialDelay)) to.error(`${path}.exponentialDelay`, "exponentialDelay not supported yet");
  else if (isAbsent(delay.fixedDelay)) to.error(path, "fixedDelay must be specified");
  checkDuration(delay.fixedDelay, `${path}.fixedDelay`, to);
}

/** Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on conditions. */
const RETRY_ON = (
  "5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes " +
  "retriable-headers envoy-ratelimited http3-post-connect-failure cancelled deadline-exceeded internal resource-exhausted unavailable"
).split(" ");

export function checkRetries(retries: Tree, path: string, to: Findings): void {
  const attempts = numberAt(retries, "attempts") ?? 0;
  const { perTryTimeout, retryOn, retryRemoteLocalities } = retries;
  if (attempts < 0) to.error(`${path}.attempts`, "attempts cannot be negative");
  if (attempts === 0 && (!isAbsent(perTryTimeout) || (retryOn ?? "") !== "" || !isAbsent(retryRemoteLocalities))) {
    to.error(path, "http retry policy configured when attempts are set to 0 (disabled)");
  }
  checkDuration(perTryTimeout, `${path}.perTryTimeout`, to, true);
  checkDuration(retries.backoff, `${path}.backoff`, to);
  if (typeof retryOn !== "string" || retryOn === "") return;
  for (const condition of retryOn.split(",").map((text) => text.trim())) {
    const isStatus = /^[1-5]\d\d$/.test(condition);
    if (!isStatus && !RETRY_ON.includes(condition))
      to.error(`${path}.retryOn`, `"${condition}" is not a valid retryOn policy`);
  }
}
