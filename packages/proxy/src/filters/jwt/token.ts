/** A JWT taken apart, or why it is none. RFC 7519; the order and the words of the complaints are Envoy's. */
import { JWT_STATUS, type JwtStatus } from "./status.ts";

export interface Token {
  readonly algorithm: string;
  readonly keyId: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Seconds since the epoch; 0: not said. */
  readonly expiresAt: number;
  readonly notBefore: number;
  readonly payload: Readonly<Record<string, unknown>>;
  /** As it was sent, base64url. */
  readonly payloadText: string;
  readonly signed: string;
  readonly signature: Buffer;
}

const ALGORITHMS: ReadonlySet<string> = new Set([
  ...["RS", "PS", "ES", "HS"].flatMap((family) => ["256", "384", "512"].map((bits) => family + bits)),
  "EdDSA",
]);
const BASE64URL = /^[A-Za-z0-9_-]*$/;

export function parseToken(text: string): Token | JwtStatus {
  const parts = text.split(".");
  const [head = "", payloadText = "", signatureText = ""] = parts;
  if (parts.length !== 3) return JWT_STATUS.badFormat;
  if (!isBase64Url(head)) return JWT_STATUS.headerBadBase64;
  const header = parseObject(head);
  if (header === undefined) return JWT_STATUS.headerBadJson;
  const { alg: algorithm, kid: keyId = "" } = header;
  if (typeof algorithm !== "string") return JWT_STATUS.headerBadAlg;
  // "none" is no algorithm: nothing unsigned is ever believed.
  if (!ALGORITHMS.has(algorithm)) return JWT_STATUS.headerUnknownAlg;
  if (typeof keyId !== "string") return JWT_STATUS.headerBadKid;
  if (!isBase64Url(payloadText)) return JWT_STATUS.payloadBadBase64;
  const payload = parseObject(payloadText);
  if (payload === undefined) return JWT_STATUS.payloadBadJson;
  const problem = payloadProblem(payload);
  if (problem !== undefined) return problem;
  if (!isBase64Url(signatureText)) return JWT_STATUS.signatureBadBase64;
  const { iss, aud, exp, nbf } = payload;
  return {
    algorithm,
    keyId,
    issuer: typeof iss === "string" ? iss : "",
    audiences: typeof aud === "string" ? [aud] : Array.isArray(aud) ? aud.filter((one) => typeof one === "string") : [],
    expiresAt: typeof exp === "number" ? exp : 0,
    notBefore: typeof nbf === "number" ? nbf : 0,
    payload,
    payloadText,
    signed: `${head}.${payloadText}`,
    signature: Buffer.from(signatureText, "base64url"),
  };
}

function payloadProblem({
  iss,
  sub,
  iat,
  nbf,
  exp,
  jti,
  aud,
}: Readonly<Record<string, unknown>>): JwtStatus | undefined {
  if (iss !== undefined && typeof iss !== "string") return JWT_STATUS.badIssuer;
  if (sub !== undefined && typeof sub !== "string") return JWT_STATUS.badSubject;
  const times = [
    [iat, JWT_STATUS.badIssuedAt, JWT_STATUS.issuedAtOutOfRange],
    [nbf, JWT_STATUS.badNotBefore, JWT_STATUS.notBeforeOutOfRange],
    [exp, JWT_STATUS.badExpiry, JWT_STATUS.expiryOutOfRange],
  ] as const;
  for (const [value, notInteger, outOfRange] of times) {
    if (value === undefined) continue;
    if (typeof value !== "number") return notInteger;
    if (value < 0 || value > 2 ** 63) return outOfRange;
  }
  if (jti !== undefined && typeof jti !== "string") return JWT_STATUS.badId;
  const isList = Array.isArray(aud) && aud.every((one) => typeof one === "string");
  return aud === undefined || typeof aud === "string" || isList ? undefined : JWT_STATUS.badAudience;
}

function isBase64Url(text: string): boolean {
  return BASE64URL.test(text) && text.length % 4 !== 1;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    // A stranger's text that is no JSON: that is the answer.
    return undefined;
  }
}
