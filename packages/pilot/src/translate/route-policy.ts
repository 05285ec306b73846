/**
 * The features of an HTTPRoute: retries, faults, CORS, header changes, mirrors, hash policies, as fields of an Envoy route.
 * https://istio.io/latest/docs/reference/config/networking/virtual-service
 */
import type {
  ConsistentHash,
  CorsPolicy,
  Destination,
  HeaderOperations,
  HttpFaultInjection,
  HttpRetry,
  HttpRoute,
  Percent,
} from "@argyle/kube-types";
import type { EnvoyMessage, JsonValue } from "../model/json.ts";
import { protoDuration } from "./cluster-policy.ts";
import { stringMatcher } from "./route-match.ts";

const DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled";

/** Two retries of what is safe to retry, unless a route says otherwise; `attempts: 0` turns retries off. */
export function retryPolicy(retries: HttpRetry | undefined): EnvoyMessage | undefined {
  if (retries !== undefined && retries.attempts !== undefined && retries.attempts <= 0) return undefined;
  const { retryOn, codes } = parseRetryOn(retries?.retryOn);
  return {
    retry_on: retryOn,
    num_retries: retries?.attempts ?? 2,
    retriable_status_codes: codes.length === 0 ? undefined : codes,
    per_try_timeout: protoDuration(retries?.perTryTimeout),
    retry_back_off: retries?.backoff === undefined ? undefined : { base_interval: protoDuration(retries.backoff) },
    retry_host_predicate:
      retries?.retryIgnorePreviousHosts === false
        ? undefined
        : [
            {
              name: "envoy.retry_host_predicates.previous_hosts",
              typed_config: {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
              },
            },
          ],
    host_selection_retry_max_attempts: "5",
    retry_priority:
      retries?.retryRemoteLocalities === true
        ? {
            name: "envoy.retry_priorities.previous_priorities",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
              update_frequency: 2,
            },
          }
        : undefined,
  };
}

/** Numbers among the conditions are status codes. */
function parseRetryOn(text: string | undefined): { readonly retryOn: string; readonly codes: readonly number[] } {
  if (text === undefined || text === "") return { retryOn: DEFAULT_RETRY_ON, codes: [] };
  const names: string[] = [];
  const codes: number[] = [];
  for (const part of text.split(",").map((item) => item.trim())) {
    if (/^[1-5]\d\d$/.test(part)) codes.push(Number(part));
    else if (part !== "") names.push(part);
  }
  if (codes.length > 0 && !names.includes("retriable-status-codes")) names.push("retriable-status-codes");
  return { retryOn: names.join(","), codes };
}

/** typed_per_filter_config: an entry for each filter that the route configures, undefined for none. */
export function perFilterConfig({ fault, corsPolicy }: HttpRoute): Readonly<Record<string, EnvoyMessage>> | undefined {
  const perFilter: Record<string, EnvoyMessage> = {};
  if (fault !== undefined) perFilter["envoy.filters.http.fault"] = faultConfig(fault);
  if (corsPolicy !== undefined) perFilter["envoy.filters.http.cors"] = corsConfig(corsPolicy);
  return Object.keys(perFilter).length === 0 ? undefined : perFilter;
}

function faultConfig(fault: HttpFaultInjection): EnvoyMessage {
  const { delay, abort } = fault;
  const delayDuration = protoDuration(delay?.fixedDelay);
  return {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
    delay:
      delayDuration === undefined
        ? undefined
        : { fixed_delay: delayDuration, percentage: faultPercentage(delay?.percentage, delay?.percent) },
    abort:
      abort === undefined
        ? undefined
        : {
            http_status: abort.httpStatus,
            grpc_status: abort.grpcStatus === undefined ? undefined : GRPC_CODES.indexOf(abort.grpcStatus),
            percentage: faultPercentage(abort.percentage, undefined),
          },
  };
}

const GRPC_CODES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Nothing said means nobody is hit. */
function faultPercentage(percentage: Percent | undefined, percent: number | undefined): EnvoyMessage {
  return percentage === undefined ? { numerator: percent ?? 0 } : perMillion(percentage.value ?? 0);
}

export function perMillion(percent: number): EnvoyMessage {
  return { numerator: Math.round(percent * 10_000), denominator: "MILLION" };
}

function corsConfig(cors: CorsPolicy): EnvoyMessage {
  const origins = [
    ...(cors.allowOrigins ?? []).map(stringMatcher),
    ...(cors.allowOrigin ?? []).map((origin) => (origin === "*" ? { safe_regex: { regex: ".*" } } : { exact: origin })),
  ];
  const maxAge = protoDuration(cors.maxAge);
  return {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
    allow_origin_string_match: origins.length === 0 ? undefined : origins,
    allow_methods: join(cors.allowMethods),
    allow_headers: join(cors.allowHeaders),
    expose_headers: join(cors.exposeHeaders),
    max_age: maxAge === undefined ? undefined : String(Math.floor(Number(maxAge.slice(0, -1)))),
    allow_credentials: cors.allowCredentials,
    filter_enabled: { default_value: { numerator: 100 } },
    forward_not_matching_preflights: cors.unmatchedPreflights === "IGNORE" ? false : undefined,
  };
}

function join(values: readonly string[] | undefined): string | undefined {
  return values === undefined || values.length === 0 ? undefined : values.join(",");
}

export interface HeaderFields {
  readonly fields: EnvoyMessage;
  /** A `Host` or `:authority` that is set becomes a rewrite of the host. */
  readonly authority: string | undefined;
}

export function headerFields(
  request: HeaderOperations | undefined,
  response: HeaderOperations | undefined,
): HeaderFields {
  const isAuthority = (name: string) => name.toLowerCase() === "host" || name.toLowerCase() === ":authority";
  const authority = Object.entries(request?.set ?? {}).find(([name]) => isAuthority(name))?.[1];
  const toAdd = (operations: HeaderOperations | undefined): readonly EnvoyMessage[] | undefined => {
    const set = Object.entries(operations?.set ?? {}).filter(([name]) => !isAuthority(name));
    const add = Object.entries(operations?.add ?? {}).filter(([name]) => !isAuthority(name));
    const out = [
      ...set.map(([key, value]) => ({ header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" })),
      ...add.map(([key, value]) => ({ header: { key, value }, append_action: "APPEND_IF_EXISTS_OR_ADD" })),
    ];
    return out.length === 0 ? undefined : out;
  };
  const removed = (names: readonly string[] | undefined) =>
    names === undefined || names.length === 0 ? undefined : names;
  return {
    authority,
    fields: {
      request_headers_to_add: toAdd(request),
      request_headers_to_remove: removed(request?.remove),
      response_headers_to_add: toAdd(response),
      response_headers_to_remove: removed(response?.remove),
    },
  };
}

/** Both the single mirror and the list; a mirror of nothing at all is left out. */
export function mirrorPolicies(
  route: HttpRoute,
  clusterOf: (destination: Destination) => string,
): readonly EnvoyMessage[] | undefined {
  const out: EnvoyMessage[] = [];
  const add = (destination: Destination, fraction: EnvoyMessage) => {
    if (fraction.numerator === 0) return;
    out.push({
      cluster: clusterOf(destination),
      runtime_fraction: { default_value: fraction },
      trace_sampled: false,
    });
  };
  if (route.mirror !== undefined) {
    const whole = route.mirrorPercent ?? 100;
    add(
      route.mirror,
      route.mirrorPercentage === undefined ? { numerator: whole } : perMillion(route.mirrorPercentage.value ?? 0),
    );
  }
  for (const mirror of route.mirrors ?? []) {
    add(
      mirror.destination,
      mirror.percentage === undefined ? { numerator: 100 } : perMillion(mirror.percentage.value ?? 0),
    );
  }
  return out.length === 0 ? undefined : out;
}

/** What a ring-hash or Maglev cluster hashes. */
export function hashPolicies(hash: ConsistentHash | undefined): readonly JsonValue[] | undefined {
  if (hash === undefined) return undefined;
  if (hash.httpHeaderName !== undefined) return [{ header: { header_name: hash.httpHeaderName } }];
  if (hash.httpCookie !== undefined) {
    const { name, path, ttl } = hash.httpCookie;
    return [{ cookie: { name, path, ttl: protoDuration(ttl) } }];
  }
  if (hash.useSourceIp === true) return [{ connection_properties: { source_ip: true } }];
  if (hash.httpQueryParameterName !== undefined) return [{ query_parameter: { name: hash.httpQueryParameterName } }];
  return undefined;
}
