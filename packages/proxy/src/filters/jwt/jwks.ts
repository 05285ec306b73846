/**
 * The keys of an issuer, and whether one of them signed a token. A key takes only algorithms of its own kind: a public key is never the secret of
 * an HMAC (algorithm confusion). RFC 7517, RFC 7518.
 */
import {
  constants,
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { JWT_STATUS, type JwtStatus } from "./status.ts";
import type { Token } from "./token.ts";

export interface JwtKey {
  readonly keyId: string;
  /** "": any of its kind. */
  readonly algorithm: string;
  readonly material:
    | { readonly kind: "public"; readonly key: KeyObject }
    | { readonly kind: "secret"; readonly bytes: Buffer };
}

export function parseJwks(text: string): readonly JwtKey[] | JwtStatus {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return JWT_STATUS.jwksBadJson;
  }
  if (typeof document !== "object" || document === null || !("keys" in document)) return JWT_STATUS.jwksNoKeys;
  if (!Array.isArray(document.keys)) return JWT_STATUS.jwksBadKeys;
  const keys = document.keys.flatMap((entry: unknown) => {
    const key = keyOf(entry);
    return key === undefined ? [] : [key];
  });
  return keys.length === 0 ? JWT_STATUS.jwksNoValidKeys : keys;
}

/** Undefined for a key that cannot be used; the others of the set still can. */
function keyOf(entry: unknown): JwtKey | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const jwk = entry as Readonly<Record<string, unknown>>;
  const text = (name: string) => (typeof jwk[name] === "string" ? jwk[name] : "");
  const common = { keyId: text("kid"), algorithm: text("alg") };
  if (jwk.kty === "oct")
    return text("k") === ""
      ? undefined
      : { ...common, material: { kind: "secret", bytes: Buffer.from(text("k"), "base64url") } };
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
    return { ...common, material: { kind: "public", key } };
  } catch {
    return undefined;
  }
}

export function verifySignature(token: Token, keys: readonly JwtKey[]): JwtStatus {
  let hasMatch = false;
  for (const key of keys) {
    if (token.keyId !== "" && key.keyId !== "" && token.keyId !== key.keyId) continue;
    if (key.algorithm !== "" && key.algorithm !== token.algorithm) continue;
    if (!isOfKind(token.algorithm, key)) continue;
    hasMatch = true;
    if (isSigned(token, key)) return JWT_STATUS.ok;
  }
  return hasMatch ? JWT_STATUS.verificationFails : JWT_STATUS.noMatchingKey;
}

const CURVES: Readonly<Record<string, string>> = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" };

function isOfKind(algorithm: string, { material }: JwtKey): boolean {
  if (material.kind === "secret") return algorithm.startsWith("HS");
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = material.key;
  if (algorithm === "EdDSA") return type === "ed25519";
  if (algorithm.startsWith("ES")) return type === "ec" && details?.namedCurve === CURVES[algorithm];
  return (algorithm.startsWith("RS") || algorithm.startsWith("PS")) && type === "rsa";
}

function isSigned({ algorithm, signed, signature }: Token, { material }: JwtKey): boolean {
  const hash = `sha${algorithm.slice(2)}`;
  const bytes = Buffer.from(signed, "latin1");
  if (material.kind === "secret") {
    const wanted = createHmac(hash, material.bytes).update(bytes).digest();
    return wanted.length === signature.length && timingSafeEqual(wanted, signature);
  }
  const { key } = material;
  if (algorithm === "EdDSA") return verify(null, bytes, key, signature);
  if (algorithm.startsWith("ES")) return verify(hash, bytes, { key, dsaEncoding: "ieee-p1363" }, signature);
  if (algorithm.startsWith("PS")) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(hash, bytes, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
  }
  return verify(hash, bytes, key, signature);
}
