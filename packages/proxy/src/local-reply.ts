/**
 * The one place where a failure becomes a response: status, body, response flag and response_code_details exactly as Envoy 1.36 has them.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/response_code_details
 */
import { GrpcStatus } from "@argyle/codec";

export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly flag: string | undefined;
  readonly details: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly close?: boolean;
  /** For gRPC clients, where it is not what the status means. */
  readonly grpcStatus?: number;
}

const reply = (status: number, body: string, flag: string | undefined, details: string, close = false): LocalReply => ({
  status,
  body,
  flag,
  details,
  close,
});

export const LOCAL_REPLY = {
  routeNotFound: reply(404, "", "NR", "route_not_found"),
  noHealthyUpstream: reply(503, "no healthy upstream", "UH", "no_healthy_upstream"),
  routeTimeout: reply(504, "upstream request timeout", "UT", "response_timeout"),
  perTryTimeout: reply(504, "upstream request timeout", "UT", "upstream_per_try_timeout"),
  streamIdleTimeout: reply(408, "stream timeout", "SI", "stream_idle_timeout", true),
  requestTimeout: reply(408, "request timeout", undefined, "request_overall_timeout", true),
  headerTimeout: reply(408, "request header timeout", undefined, "request_header_timeout", true),
  missingHost: reply(400, "", undefined, "missing_host_header", true),
  /** Also for a fragment in the path. */
  pathNormalization: reply(400, "", undefined, "path_normalization_failed", true),
  absolutePath: reply(404, "", undefined, "absolute_path_rejected"),
  queryWithoutType: reply(400, "", undefined, "query_missing_content_type", true),
  lowVersion: reply(426, "Upgrade Required", "DPE", "low_version", true),
  upgradeFailed: reply(403, "", undefined, "upgrade_failed"),
  retryBuffer: reply(
    507,
    "exceeded request buffer limit while retrying upstream",
    undefined,
    "request_payload_exceeded_retry_buffer_limit",
  ),
  drainOverload: reply(503, "envoy overloaded", "OM", "overload"),
} as const;

export function clusterNotFound(status: number): LocalReply {
  return reply(status, "", "NC", "cluster_not_found");
}

/** `realm` is the URL that was asked for. A missing token is asked for, another is said to be invalid; an audience is a matter of permission. */
export function jwtDenied(status: string, realm: string): LocalReply {
  const isMissing = status === "Jwt is missing";
  const challenge = `Bearer realm="${realm.replace(/["\\]/g, "")}"${isMissing ? "" : ', error="invalid_token"'}`;
  return {
    status: status === "Audiences in Jwt are not allowed" ? 403 : 401,
    body: status,
    flag: undefined,
    details: `jwt_authn_access_denied{${status.replaceAll(" ", "_")}}`,
    headers: [["www-authenticate", challenge]],
  };
}

export function rbacDenied(policy: string): LocalReply {
  return reply(403, "RBAC: access denied", undefined, rbacDeniedDetails(policy));
}

/** Of a request, or of a connection that a network filter ended. */
export function rbacDeniedDetails(policy: string): string {
  return `rbac_access_denied_matched_policy[${policy}]`;
}

export function maxStreamDuration(isRequestComplete: boolean): LocalReply {
  return {
    ...reply(
      isRequestComplete ? 504 : 408,
      "upstream max stream duration reached",
      "UMSDR",
      "upstream_max_stream_duration_reached",
    ),
    grpcStatus: GrpcStatus.deadlineExceeded,
  };
}

/** The longest duration that a route allows its streams, as the connection manager says it. */
export function routeMaxDuration(isRequestComplete: boolean): LocalReply {
  return reply(isRequestComplete ? 504 : 408, "downstream duration timeout", undefined, "max_duration_timeout");
}

export function streamIdle(isRequestComplete: boolean): LocalReply {
  return isRequestComplete
    ? { ...LOCAL_REPLY.streamIdleTimeout, status: 504, close: false }
    : LOCAL_REPLY.streamIdleTimeout;
}

export function codecError(status: number, details: string): LocalReply {
  return reply(status, STATUS_BODY[status] ?? "Bad Request", "DPE", details, true);
}

/** A request that the codec could read but nobody should answer; closed, since the next one may not be what it seems. */
export function badRequest(details: string): LocalReply {
  return codecError(400, details);
}

const STATUS_BODY: Readonly<Record<number, string>> = {
  400: "Bad Request",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
};

export function faultAbort(status: number): LocalReply {
  return reply(status, "fault filter abort", "FI", "fault_filter_abort");
}

/** Why an upstream request ended without a whole response. */
export type ResetReason =
  | { readonly kind: "connect-failure"; readonly detail: string }
  | { readonly kind: "connect-timeout" }
  | { readonly kind: "termination" }
  | { readonly kind: "remote-reset" }
  /** The server has certainly not acted on the request. */
  | { readonly kind: "refused" }
  | { readonly kind: "overflow" }
  | { readonly kind: "protocol-error"; readonly detail: string }
  | { readonly kind: "local-reset" };

/** Envoy's words for the reason, and the failure of the transport where there is one. */
export function resetText(reason: ResetReason): { readonly reason: string; readonly transport: string } {
  switch (reason.kind) {
    case "connect-failure":
      return { reason: "remote connection failure", transport: reason.detail };
    case "connect-timeout":
      return { reason: "connection timeout", transport: "" };
    case "termination":
      return { reason: "connection termination", transport: "" };
    case "remote-reset":
      return { reason: "remote reset", transport: "" };
    case "refused":
      return { reason: "remote refused stream reset", transport: "" };
    case "overflow":
      return { reason: "overflow", transport: "" };
    case "protocol-error":
      return { reason: "protocol error", transport: "" };
    case "local-reset":
      return { reason: "local reset", transport: "" };
  }
}

export function resetFlag(reason: ResetReason): string {
  switch (reason.kind) {
    case "connect-failure":
    case "connect-timeout":
      return "UF";
    case "termination":
      return "UC";
    case "remote-reset":
    case "refused":
      return "UR";
    case "overflow":
      return "UO";
    case "protocol-error":
      return "UPE";
    case "local-reset":
      return "LR";
  }
}

export function upstreamReset(reason: ResetReason, wasRetried: boolean): LocalReply {
  const { reason: text, transport } = resetText(reason);
  const words = wasRetried ? "retried and the latest reset reason" : "reset reason";
  const tail = transport === "" ? "" : `, transport failure reason: ${transport}`;
  const details = (transport === "" ? text : `${text}|${transport}`).replace(/\s/g, "_");
  return {
    status: reason.kind === "protocol-error" ? 502 : 503,
    body: `upstream connect error or disconnect/reset before headers. ${words}: ${text}${tail}`,
    flag: resetFlag(reason),
    details: `upstream_reset_before_response_started{${details}}`,
    ...(reason.kind === "overflow" ? { headers: [["x-envoy-overloaded", "true"]] as const } : {}),
  };
}
