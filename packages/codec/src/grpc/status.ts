/**
 * gRPC's words in HTTP fields: status codes, percent-encoded messages, time-outs
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, http-grpc-status-mapping.md).
 */
export const GrpcStatus = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** The grpc-status of a reply that has only an HTTP code, as Envoy answers gRPC requests. */
export function grpcStatusOfHttp(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return GrpcStatus.internal;
    case 401:
      return GrpcStatus.unauthenticated;
    case 403:
      return GrpcStatus.permissionDenied;
    case 404:
      return GrpcStatus.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.unavailable;
    default:
      return GrpcStatus.unknown;
  }
}

const HTTP_OF_GRPC = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** The HTTP code that a grpc-status counts as, where only HTTP codes are understood (outlier detection), as Envoy maps them. */
export function httpStatusOfGrpc(grpcStatus: number): number {
  return HTTP_OF_GRPC[grpcStatus] ?? 500;
}

/** The number of a grpc-status field; undefined when it is none. */
export function parseGrpcStatus(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:0|[1-9][0-9]{0,9})$/.test(text) ? Number(text) : undefined;
}

/** `application/grpc`, alone or with a `+` or `;` behind it, in any case. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/i.test(contentType);
}

/** grpc-message: UTF-8, everything outside of 0x20 to 0x7e and `%` as %XX. */
export function encodeGrpcMessage(text: string): string {
  if (!/[^\x20-\x24\x26-\x7e]/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    encoded +=
      byte < 0x20 || byte > 0x7e || byte === PERCENT
        ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
        : String.fromCharCode(byte);
  }
  return encoded;
}

/** The text of a grpc-message; broken escapes stay as they are. */
export function decodeGrpcMessage(field: string): string {
  if (!field.includes("%")) return field;
  const bytes: number[] = [];
  for (let i = 0; i < field.length; i += 1) {
    const octet = field.slice(i, i + 3);
    if (/^%[0-9A-Fa-f]{2}$/.test(octet)) {
      bytes.push(Number.parseInt(octet.slice(1), 16));
      i += 2;
    } else bytes.push(field.charCodeAt(i) & 0xff);
  }
  return Buffer.from(bytes).toString("utf8");
}

const PERCENT = 0x25;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a grpc-timeout (`100m`, `5S`): at most eight digits and a unit; undefined when it is none. */
export function parseGrpcTimeout(text: string): number | undefined {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
}

/** A grpc-timeout of so many milliseconds, as Envoy writes it: in the finest unit from there that eight digits can hold. Rounded up. */
export function formatGrpcTimeout(ms: number): string {
  for (const unit of ["m", "S", "M"] as const) {
    const count = Math.ceil(ms / (UNIT_MS[unit] ?? 1));
    if (count < 100_000_000) return `${Math.max(0, count)}${unit}`;
  }
  return `${Math.min(99_999_999, Math.ceil(ms / 3_600_000))}H`;
}
