/** What an issued certificate takes over from its CA's own: the name, byte for byte, and the key identifier. RFC 5280 §4.1.2.4, §4.2.1.1 */
import { createHash } from "node:crypto";
import { expectTag, oid, readAll, readMembers, TAG } from "./der.ts";

export interface Issuer {
  readonly name: Buffer;
  readonly keyId: Buffer;
}

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const SUBJECT_KEY_IDENTIFIER = oid("2.5.29.14");

/** `certificate`: DER. */
export function readIssuer(certificate: Buffer): Issuer {
  const [toBeSigned] = readMembers(certificate, TAG.sequence);
  const all = readAll(expectTag(toBeSigned, TAG.sequence).content);
  // serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, …
  const fields = all[0]?.tag === VERSION ? all.slice(1) : all;
  const [, publicKey] = readAll(expectTag(fields[5], TAG.sequence).content);
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  return {
    name: expectTag(fields[4], TAG.sequence).whole,
    keyId:
      (extensions === undefined ? undefined : subjectKeyId(extensions.content)) ??
      createHash("sha1").update(expectTag(publicKey, TAG.bitString).content.subarray(1)).digest(),
  };
}

function subjectKeyId(extensions: Buffer): Buffer | undefined {
  for (const { content } of readMembers(extensions, TAG.sequence)) {
    const parts = readAll(content);
    if (parts[0]?.whole.equals(SUBJECT_KEY_IDENTIFIER) !== true) continue;
    const [keyId] = readAll(expectTag(parts.at(-1), TAG.octetString).content);
    return expectTag(keyId, TAG.octetString).content;
  }
  return undefined;
}
