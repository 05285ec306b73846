/**
 * Fault injection: delays and aborts. A route's typed_per_filter_config replaces the filter's own configuration.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/fault_filter
 */
import type { Fields } from "../config/fields.ts";
import { compileFraction, type Fraction, isInFraction } from "../config/fraction.ts";
import { compileHeaderMatcher, type HeaderPredicate, type RequestView } from "../config/header-matcher.ts";

export interface FaultConfig {
  readonly delay: { readonly ms: number; readonly fraction: Fraction } | undefined;
  readonly abort:
    | { readonly status: number; readonly grpcStatus: number | undefined; readonly fraction: Fraction }
    | undefined;
  readonly headers: readonly HeaderPredicate[];
}

const NEVER: Fraction = { numerator: 0, denominator: 100, runtimeKey: "" };

export function compileFault(fields: Fields): FaultConfig {
  const delay = fields.object("delay");
  const abort = fields.object("abort");
  const fractionOf = (owner: Fields | undefined) => {
    const percentage = owner?.object("percentage");
    return percentage === undefined ? NEVER : compileFraction(percentage);
  };
  const status = abort?.number("http_status", 0) ?? 0;
  if (abort?.has("http_status") === true && (status < 200 || status > 599))
    abort.problem("http_status", "must be in [200, 600)");
  return {
    delay: delay === undefined ? undefined : { ms: delay.duration("fixed_delay", 0), fraction: fractionOf(delay) },
    abort:
      abort === undefined
        ? undefined
        : { status: status === 0 ? 200 : status, grpcStatus: abort.number("grpc_status"), fraction: fractionOf(abort) },
    headers: fields.list("headers").map(compileHeaderMatcher),
  };
}

/** What to do to one request. Each random number is a non-negative integer. */
export function decideFault(
  config: FaultConfig,
  request: RequestView,
  random: () => number,
): { readonly delayMs: number; readonly abortStatus: number; readonly grpcStatus: number | undefined } {
  if (!config.headers.every((test) => test(request))) return { delayMs: 0, abortStatus: 0, grpcStatus: undefined };
  const { delay, abort } = config;
  const isAborted = abort !== undefined && isInFraction(abort.fraction, random());
  return {
    delayMs: delay !== undefined && isInFraction(delay.fraction, random()) ? delay.ms : 0,
    abortStatus: isAborted ? abort.status : 0,
    grpcStatus: isAborted ? abort.grpcStatus : undefined,
  };
}
