/** The table of access log operators: name → a function of the stream record. Called when a format is compiled, never per request. */
import { formatStartTime } from "./start-time.ts";
import type { HeaderSource, StreamRecord } from "./stream-record.ts";

export type Reader = (record: StreamRecord) => string | number | object | boolean | undefined | null;

export function compileOperator(
  name: string,
  argument: string | undefined,
  maxLength: number | undefined,
): Reader | undefined {
  const reader = plain(name, argument);
  if (reader === undefined || maxLength === undefined) return reader;
  return (record) => {
    const value = reader(record);
    return typeof value === "string" ? value.slice(0, maxLength) : value;
  };
}

function plain(name: string, argument: string | undefined): Reader | undefined {
  const simple = SIMPLE[name];
  if (simple !== undefined) return simple;
  switch (name) {
    case "START_TIME":
      return argument === undefined || argument === "" ? startTime : (r) => formatStartTime(argument, r.startTimeMs);
    case "REQ":
    case "REQUEST_HEADER":
      return header(argument, requestHeader);
    case "RESP":
    case "RESPONSE_HEADER":
      return header(argument, (r, key) =>
        key === ":status" ? (r.responseCode === 0 ? undefined : String(r.responseCode)) : r.responseHeaders?.get(key),
      );
    case "TRAILER":
      return header(argument, (r, key) => r.responseTrailers?.get(key));
    case "DYNAMIC_METADATA": {
      const [namespace = "", ...path] = (argument ?? "").split(":");
      return (r) => r.dynamicMetadata(namespace, path) as ReturnType<Reader>;
    }
    case "FILTER_STATE": {
      const key = (argument ?? "").split(":")[0] ?? "";
      return (r) => r.filterState(key);
    }
    // Values that nothing here ever sets; they print as missing, as in an Envoy where they are unset.
    case "CLUSTER_METADATA":
    case "UPSTREAM_METADATA":
    case "ENVIRONMENT":
      return () => undefined;
    case "GRPC_STATUS": {
      return (r) => grpcStatus(r);
    }
    default:
      return undefined;
  }
}

const startTime: Reader = (r) => isoTime(r.startTimeMs);

let lastSecond = -1;
let secondText = "";

/** hot: toISOString() once a second; the milliseconds are put in by hand. */
function isoTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    secondText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  const rest = Math.floor(ms - second * 1000);
  return `${secondText}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
}

/** `%REQ(X?Y)%`: the first header that is there. */
function header(
  argument: string | undefined,
  read: (r: StreamRecord, key: string) => string | undefined,
): Reader | undefined {
  if (argument === undefined || argument === "") return undefined;
  const [first = "", second] = argument.toLowerCase().split("?");
  return second === undefined ? (r) => read(r, first) : (r) => read(r, first) ?? read(r, second);
}

function requestHeader(r: StreamRecord, key: string): string | undefined {
  switch (key) {
    case ":method":
      return r.method;
    case ":path":
      return r.path;
    case ":authority":
    case "host":
      return r.authority;
    case ":scheme":
      return r.scheme;
    case "x-envoy-original-path":
      return r.originalPath ?? r.requestHeaders?.get(key);
    default:
      return r.requestHeaders?.get(key);
  }
}

function host(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const colon = address.lastIndexOf(":");
  return colon === -1 ? address : address.slice(0, colon);
}

function port(address: string | undefined): string | undefined {
  const colon = address?.lastIndexOf(":") ?? -1;
  return colon === -1 ? undefined : address?.slice(colon + 1);
}

const GRPC_NAMES = [
  "OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted",
  "FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated",
]
  .join(" ")
  .split(" ");

function grpcStatusNumber(r: StreamRecord): string | undefined {
  const from = (source: HeaderSource | undefined) => source?.get("grpc-status");
  return from(r.responseTrailers) ?? from(r.responseHeaders);
}

function grpcStatus(r: StreamRecord): string | undefined {
  const number = grpcStatusNumber(r);
  return number === undefined ? undefined : (GRPC_NAMES[Number(number)] ?? number);
}

const SIMPLE: Readonly<Record<string, Reader>> = {
  PROTOCOL: (r) => (r.protocol === "-" ? undefined : r.protocol),
  RESPONSE_CODE: (r) => r.responseCode,
  RESPONSE_CODE_DETAILS: (r) => r.responseCodeDetails,
  CONNECTION_TERMINATION_DETAILS: (r) => r.connectionTerminationDetails,
  RESPONSE_FLAGS: (r) => r.responseFlags,
  UPSTREAM_TRANSPORT_FAILURE_REASON: (r) => r.upstreamTransportFailureReason,
  BYTES_RECEIVED: (r) => r.bytesReceived,
  BYTES_SENT: (r) => r.bytesSent,
  DURATION: (r) => rounded(r.durationMs),
  REQUEST_DURATION: (r) => rounded(r.requestDurationMs),
  RESPONSE_DURATION: (r) => rounded(r.responseDurationMs),
  RESPONSE_TX_DURATION: (r) => rounded(r.responseTxDurationMs),
  UPSTREAM_HOST: (r) => r.upstreamHost,
  UPSTREAM_HOST_NAME: (r) => r.upstreamHost,
  UPSTREAM_REMOTE_ADDRESS: (r) => r.upstreamHost,
  UPSTREAM_CLUSTER: (r) => r.upstreamCluster,
  UPSTREAM_CLUSTER_RAW: (r) => r.upstreamCluster,
  UPSTREAM_LOCAL_ADDRESS: (r) => r.upstreamLocalAddress,
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (r) => host(r.upstreamLocalAddress),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: (r) => r.upstreamRequestAttemptCount,
  DOWNSTREAM_LOCAL_ADDRESS: (r) => r.downstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (r) => host(r.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_PORT: (r) => port(r.downstreamLocalAddress),
  DOWNSTREAM_REMOTE_ADDRESS: (r) => r.downstreamRemoteAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (r) => host(r.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_PORT: (r) => port(r.downstreamRemoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (r) => r.downstreamDirectRemoteAddress,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (r) => host(r.downstreamDirectRemoteAddress),
  DOWNSTREAM_PEER_URI_SAN: (r) => r.downstreamPeerUriSan,
  DOWNSTREAM_LOCAL_URI_SAN: (r) => r.downstreamLocalUriSan,
  DOWNSTREAM_PEER_SUBJECT: (r) => r.downstreamPeerSubject,
  DOWNSTREAM_TLS_VERSION: (r) => r.downstreamTlsVersion,
  DOWNSTREAM_TLS_CIPHER: (r) => r.downstreamTlsCipher,
  REQUESTED_SERVER_NAME: (r) => r.requestedServerName,
  ROUTE_NAME: (r) => r.routeName,
  CONNECTION_ID: (r) => r.connectionId,
  GRPC_STATUS_NUMBER: (r) => grpcStatusNumber(r),
};

/** Their values are numbers, addresses, or words of ours: never text from the wire. */
const PLAIN: ReadonlySet<unknown> = new Set([
  startTime,
  ...[
    "PROTOCOL RESPONSE_CODE RESPONSE_FLAGS BYTES_RECEIVED BYTES_SENT DURATION REQUEST_DURATION RESPONSE_DURATION",
    "RESPONSE_TX_DURATION UPSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS CONNECTION_ID",
  ].flatMap((names) => names.split(" ").map((name) => SIMPLE[name])),
]);

/** Spares the search for characters to escape. */
export function isPlainReader(reader: Reader): boolean {
  return PLAIN.has(reader);
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.floor(ms);
}
