/**
 * Reads a PKCS #10 request (RFC 2986) for the one thing that a CA of SPIFFE names takes from it: the public key, whose private half has signed the request.
 * Throws on anything else.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { DerError, expectTag, oid, readAll, readMembers, TAG } from "./der.ts";

/** SubjectPublicKeyInfo, DER. */
export type PublicKeyInfo = Buffer;

const ATTRIBUTES = 0xa0;

interface SignatureAlgorithm {
  readonly keyType: KeyObject["asymmetricKeyType"];
  /** Null: the algorithm has its own. */
  readonly hash: string | null;
}

const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  (
    [
      ["1.2.840.10045.4.3.2", "ec", "sha256"],
      ["1.2.840.10045.4.3.3", "ec", "sha384"],
      ["1.2.840.10045.4.3.4", "ec", "sha512"],
      ["1.2.840.113549.1.1.11", "rsa", "sha256"],
      ["1.2.840.113549.1.1.12", "rsa", "sha384"],
      ["1.2.840.113549.1.1.13", "rsa", "sha512"],
      ["1.3.101.112", "ed25519", null],
    ] as const
  ).map(([id, keyType, hash]) => [oid(id).toString("hex"), { keyType, hash }]),
);

export function readCertificateRequest(pem: string): PublicKeyInfo {
  const match = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem);
  if (match?.[1] === undefined) throw new DerError("no PEM block of a certificate request");
  const [info, algorithm, signature, ...others] = readMembers(Buffer.from(match[1], "base64"), TAG.sequence);
  if (others.length > 0) throw new DerError("more than a certificate request");
  const signed = expectTag(info, TAG.sequence);
  const [version, subject, key, attributes] = readAll(signed.content);
  expectTag(version, TAG.integer);
  expectTag(subject, TAG.sequence);
  const publicKeyInfo = expectTag(key, TAG.sequence).whole;
  if (attributes !== undefined) expectTag(attributes, ATTRIBUTES);

  const [id] = readAll(expectTag(algorithm, TAG.sequence).content);
  const how = ALGORITHMS.get(expectTag(id, TAG.oid).whole.toString("hex"));
  if (how === undefined) throw new DerError("an unsupported signature algorithm");
  const publicKey = createPublicKey({ key: publicKeyInfo, format: "der", type: "spki" });
  if (publicKey.asymmetricKeyType !== how.keyType) throw new DerError("a signature of another kind than the key");
  const { content } = expectTag(signature, TAG.bitString);
  if (content[0] !== 0 || !verify(how.hash, signed.whole, publicKey, content.subarray(1)))
    throw new DerError("a wrong signature");
  return publicKeyInfo;
}
