/**
 * One issuer that is believed: where its tokens are looked for, whether one is good, and what a good one leaves behind.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/filters/http/jwt_authn/v3/config.proto
 */
import type { HeaderBlock } from "@argyle/codec";
import type { Fields } from "../../config/fields.ts";
import { type JwtKey, parseJwks, verifySignature } from "./jwks.ts";
import { JWT_STATUS, type JwtStatus } from "./status.ts";
import type { Token } from "./token.ts";

export interface JwtProvider {
  readonly name: string;
  /** "": any. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: readonly JwtKey[] | JwtStatus;
  readonly locations: readonly TokenLocation[];
  readonly forwards: boolean;
  readonly payloadHeader: string;
  readonly padsPayload: boolean;
  readonly payloadInMetadata: string;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: string }[];
  readonly spaceDelimited: readonly string[];
  readonly clockSkewSeconds: number;
  readonly clearsRoute: boolean;
}

export type TokenLocation =
  | { readonly kind: "header"; readonly name: string; readonly prefix: string }
  | { readonly kind: "param"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string };

export function compileProvider(name: string, fields: Fields): JwtProvider {
  const normalized = fields.object("normalize_payload_in_metadata");
  return {
    name,
    issuer: fields.string("issuer"),
    audiences: fields.strings("audiences").map(sanitizeAudience),
    keys: compileKeys(fields),
    locations: compileLocations(fields),
    forwards: fields.boolean("forward"),
    payloadHeader: fields.string("forward_payload_header").toLowerCase(),
    padsPayload: fields.boolean("pad_forward_payload_header"),
    payloadInMetadata: fields.string("payload_in_metadata"),
    claimHeaders: fields.list("claim_to_headers").map((item) => ({
      header: item.required("header_name").toLowerCase(),
      claim: item.required("claim_name"),
    })),
    spaceDelimited: normalized?.strings("space_delimited_claims") ?? [],
    clockSkewSeconds: fields.number("clock_skew_seconds", 60),
    clearsRoute: fields.boolean("clear_route_cache"),
  };
}

function compileKeys(fields: Fields): JwtProvider["keys"] {
  const local = fields.object("local_jwks");
  if (local === undefined) {
    fields.problem("remote_jwks", "only local_jwks is supported");
    return [];
  }
  const text = local.has("inline_string")
    ? local.string("inline_string")
    : Buffer.from(local.string("inline_bytes"), "base64").toString("utf8");
  return parseJwks(text);
}

function compileLocations(fields: Fields): readonly TokenLocation[] {
  const found: TokenLocation[] = [
    ...fields.list("from_headers").map((item) => ({
      kind: "header" as const,
      name: item.required("name").toLowerCase(),
      prefix: item.string("value_prefix"),
    })),
    ...fields.strings("from_params").map((name) => ({ kind: "param" as const, name })),
    ...fields.strings("from_cookies").map((name) => ({ kind: "cookie" as const, name })),
  ];
  if (found.length > 0) return found;
  return [
    { kind: "header", name: "authorization", prefix: "Bearer " },
    { kind: "param", name: "access_token" },
  ];
}

/** Time, then audience, then signature, as Envoy asks. */
export function verifyToken(
  token: Token,
  provider: JwtProvider,
  audiences: readonly string[],
  nowSeconds: number,
): JwtStatus {
  const { issuer, clockSkewSeconds: skew, keys } = provider;
  if (issuer !== "" && token.issuer !== issuer) return JWT_STATUS.unknownIssuer;
  if (token.notBefore > nowSeconds + skew) return JWT_STATUS.notYetValid;
  if (token.expiresAt > 0 && nowSeconds > token.expiresAt + skew) return JWT_STATUS.expired;
  const own = token.audiences.map(sanitizeAudience);
  if (audiences.length > 0 && !own.some((audience) => audiences.includes(audience)))
    return JWT_STATUS.audienceNotAllowed;
  return typeof keys === "string" ? keys : verifySignature(token, keys);
}

/** With or without scheme and last slash an audience is the same. */
function sanitizeAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

/** Headers that only this filter may set: what the client sent under their names is taken away first. */
export function sanitizeHeaders(headers: HeaderBlock, providers: readonly JwtProvider[]): void {
  for (const { payloadHeader, claimHeaders } of providers) {
    if (payloadHeader !== "") headers.remove(payloadHeader);
    for (const { header } of claimHeaders) headers.remove(header);
  }
}

export function setHeaders(headers: HeaderBlock, token: Token, provider: JwtProvider): void {
  const { payloadHeader, padsPayload, claimHeaders } = provider;
  if (payloadHeader !== "") {
    const text = token.payloadText;
    headers.set(payloadHeader, padsPayload ? text.padEnd(Math.ceil(text.length / 4) * 4, "=") : text);
  }
  for (const { header, claim } of claimHeaders) {
    const value = claimText(claimOf(token.payload, claim));
    if (value !== undefined) headers.add(header, value);
  }
}

function claimOf(payload: Readonly<Record<string, unknown>>, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim];
  let found: unknown = payload;
  for (const key of claim.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

/** A value that no header could hold, such as one with a line end, is left out. */
function claimText(value: unknown): string | undefined {
  if (typeof value === "string") return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? value : undefined;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "object" && value !== null
    ? Buffer.from(JSON.stringify(value)).toString("base64")
    : undefined;
}

/** The payload as policies see it: claims of several words become lists of them. */
export function metadataOf(token: Token, { spaceDelimited }: JwtProvider): Readonly<Record<string, unknown>> {
  const out: Record<string, unknown> = { ...token.payload };
  for (const claim of spaceDelimited) {
    const value = out[claim];
    if (typeof value === "string" && value.includes(" ")) out[claim] = value.split(" ").filter((word) => word !== "");
  }
  return out;
}
