/** What happens to a request on its route: CORS, injected faults, retries. Source: Istio reference, networking/virtual-service. */
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkDuration, checkHeaderName, checkPercentage, checkStringMatch } from "./values.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

export function checkCors(policy: Tree, path: string, to: Findings): void {
  for (const [index, origin] of listAt(policy, "allowOrigins").entries()) {
    const at = `${path}.allowOrigins[${index}]`;
    const isEmpty = ["exact", "prefix", "regex"].every((kind) => (textAt(origin, kind) ?? "") === "");
    if (isEmpty) to.error(at, "'' is not a valid match type for CORS allow origins");
    else checkStringMatch(origin, at, to);
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
  checkDuration(policy.maxAge, `${path}.maxAge`, to);
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
    if (!GRPC_STATUSES.includes(grpcStatus)) {
      to.error(`${path}.grpcStatus`, `gRPC status "${grpcStatus}" is not supported, for example 'NOT_FOUND' is`);
    }
  } else if (http2Error !== undefined) to.error(`${path}.http2Error`, "HTTP/2 abort fault injection not supported yet");
  else if (httpStatus === undefined) to.warn("abort configured, but error type not set");
  else if (httpStatus < 200 || httpStatus > 600) {
    to.error(`${path}.httpStatus`, `HTTP status ${httpStatus} is not in range 200-599`);
  }
}

function checkDelay(delay: Tree, path: string, to: Findings): void {
  checkPercentage(delay.percent, `${path}.percent`, to);
  checkPercentage(delay.percentage, `${path}.percentage`, to);
  if (!isAbsent(delay.exponentialDelay)) to.error(`${path}.exponentialDelay`, "exponentialDelay not supported yet");
  checkDuration(delay.fixedDelay, `${path}.fixedDelay`, to);
}

/** Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on conditions. */
const RETRY_ON = (
  "5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes " +
  "retriable-headers envoy-ratelimited http3-post-connect-failure cancelled deadline-exceeded internal resource-exhausted unavailable"
).split(" ");

/** The status codes that have a name. */
const STATUS = /^(?:10[0-3]|20[0-8]|226|30[0-57-8]|4(?:0\d|1[0-8]|2[1-689]|31|51)|5(?:0\d|10|11))$/;

export function checkRetries(retries: Tree, path: string, to: Findings): void {
  const attempts = numberAt(retries, "attempts") ?? 0;
  const { perTryTimeout, retryOn, retryRemoteLocalities } = retries;
  if (attempts < 0) to.error(`${path}.attempts`, "attempts cannot be negative");
  if (attempts === 0 && (!isAbsent(perTryTimeout) || (retryOn ?? "") !== "" || !isAbsent(retryRemoteLocalities))) {
    to.error(path, "http retry policy configured when attempts are set to 0 (disabled)");
  }
  checkDuration(perTryTimeout, `${path}.perTryTimeout`, to);
  checkDuration(retries.backoff, `${path}.backoff`, to);
  if (typeof retryOn !== "string" || retryOn === "") return;
  for (const condition of retryOn.split(",")) {
    const isStatus = STATUS.test(condition);
    if (!isStatus && !RETRY_ON.includes(condition))
      to.error(`${path}.retryOn`, `"${condition}" is not a valid retryOn policy`);
  }
}
