/**
 * The one place where a failure becomes a response: status, body, response flag and response_code_details exactly as Envoy 1.36 has them.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/response_code_details
 */
export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly flag: string | undefined;
  readonly details: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly close?: boolean;
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
  missingHost: reply(400, "", undefined, "missing_host_header"),
  pathNormalization: reply(400, "", undefined, "path_normalization_failed"),
  pathFragment: reply(400, "", undefined, "path_with_fragment"),
  lowVersion: reply(426, "", undefined, "low_version", true),
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
  return reply(
    isRequestComplete ? 504 : 408,
    "upstream max stream duration reached",
    "UMSDR",
    "upstream_max_stream_duration_reached",
  );
}

export function streamIdle(isRequestComplete: boolean): LocalReply {
  return isRequestComplete ? { ...LOCAL_REPLY.streamIdleTimeout, status: 504 } : LOCAL_REPLY.streamIdleTimeout;
}

export function codecError(status: number, details: string): LocalReply {
  return reply(status, STATUS_BODY[status] ?? "Bad Request", "DPE", details, true);
}

const STATUS_BODY: Readonly<Record<number, string>> = {
  400: "Bad Request",
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

const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** gRPC clients get HTTP 200 and a grpc-status instead. */
export function grpcStatusOf(httpStatus: number): number {
  return GRPC_STATUS[httpStatus] ?? 2;
}
