/** Service-account tokens: ES256 JSON Web Tokens (RFC 7519) signed with the cluster's key, and that key as a JWK set. */
import { sign, verify } from "node:crypto";
import { type JsonObject, objectOf } from "./json.ts";
import type { ServiceAccountKey } from "./pki.ts";

/** The `iss` of every token and the audience that the API server itself accepts. */
export const ISSUER = "https://kubernetes.default.svc.cluster.local";

export function signToken(key: ServiceAccountKey, claims: JsonObject): string {
  const body = `${encode({ alg: "ES256", kid: key.keyId })}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(body), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `${body}.${signature.toString("base64url")}`;
}

/** The claims of a token that we signed, or undefined. Times and audiences are the caller's to check. */
export function openToken(key: ServiceAccountKey, token: string): JsonObject | undefined {
  const [header, payload, signature, extra] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || extra !== undefined) return undefined;
  if (objectOf(decode(header)).alg !== "ES256") return undefined;
  const isOurs = verify(
    "sha256",
    Buffer.from(`${header}.${payload}`),
    { key: key.publicKey, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  return isOurs ? objectOf(decode(payload)) : undefined;
}

export function buildJwks(key: ServiceAccountKey): JsonObject {
  const jwk = key.publicKey.export({ format: "jwk" });
  return { keys: [{ use: "sig", kty: jwk.kty, kid: key.keyId, alg: "ES256", crv: jwk.crv, x: jwk.x, y: jwk.y }] };
}

export function buildOpenIdConfiguration(serverUrl: string): JsonObject {
  return {
    issuer: ISSUER,
    jwks_uri: `${serverUrl}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  };
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
