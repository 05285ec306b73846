/**
 * The certificates that istiod issues: an empty subject, the name in subjectAltName, for servers and clients. Written out in DER, because a mesh that starts
 * asks for one for every pod within a second or two. RFC 5280 §4.1, §4.2
 */
import { type KeyObject, sign } from "node:crypto";
import { der, oid, TAG } from "./der.ts";
import type { Issuer } from "./issuer.ts";

export type SubjectAltName = { readonly kind: "uri" | "dns"; readonly value: string };

export interface LeafCertificate {
  /** Positive, big-endian. */
  readonly serialNumber: Buffer;
  readonly issuer: Issuer;
  readonly issuerKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer;
  readonly names: readonly SubjectAltName[];
  readonly areNamesCritical: boolean;
}

const VERSION_3 = der(0xa0, der(TAG.integer, Buffer.from([2])));
const EXTENSIONS = 0xa3;
const NAME_TAGS = { uri: 0x86, dns: 0x82 } as const;
const KEY_IDENTIFIER = 0x80;
const TRUE = der(TAG.boolean, Buffer.from([0xff]));
const ECDSA_WITH_SHA256 = der(TAG.sequence, oid("1.2.840.10045.4.3.2"));
const SHA256_WITH_RSA = der(TAG.sequence, oid("1.2.840.113549.1.1.11"), der(TAG.null));
const NOT_A_CA = extension("2.5.29.19", true, der(TAG.sequence));
/** digitalSignature and keyEncipherment. */
const KEY_USAGE = extension("2.5.29.15", true, der(TAG.bitString, Buffer.from([5, 0xa0])));
const SERVER_AND_CLIENT = extension(
  "2.5.29.37",
  false,
  der(TAG.sequence, oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2")),
);

/** PEM. */
export function issueCertificate(leaf: LeafCertificate): string {
  const { issuer, issuerKey } = leaf;
  const algorithm = issuerKey.asymmetricKeyType === "ec" ? ECDSA_WITH_SHA256 : SHA256_WITH_RSA;
  const names = leaf.names.map(({ kind, value }) => der(NAME_TAGS[kind], Buffer.from(value, "latin1")));
  const toBeSigned = der(
    TAG.sequence,
    VERSION_3,
    der(TAG.integer, leaf.serialNumber),
    algorithm,
    issuer.name,
    der(TAG.sequence, time(leaf.notBefore), time(leaf.notAfter)),
    der(TAG.sequence),
    leaf.publicKeyInfo,
    der(
      EXTENSIONS,
      der(
        TAG.sequence,
        NOT_A_CA,
        KEY_USAGE,
        SERVER_AND_CLIENT,
        extension("2.5.29.17", leaf.areNamesCritical, der(TAG.sequence, ...names)),
        extension("2.5.29.35", false, der(TAG.sequence, der(KEY_IDENTIFIER, issuer.keyId))),
      ),
    ),
  );
  const signature = sign("sha256", toBeSigned, issuerKey);
  const certificate = der(TAG.sequence, toBeSigned, algorithm, der(TAG.bitString, Buffer.from([0]), signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return der(TAG.sequence, oid(id), ...(isCritical ? [TRUE] : []), der(TAG.octetString, value));
}

/** UTCTime until 2049, GeneralizedTime from then on; whole seconds. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, "");
  return Number(digits.slice(0, 4)) < 2050
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}
