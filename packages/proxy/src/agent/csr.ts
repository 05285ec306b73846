/**
 * A new P-256 key and its certificate signing request: PKCS #10 with an empty subject and one critical URI SAN.
 * Written out in DER here because a hundred sidecars in one process should not load a certificate library for one fixed message.
 * RFC 2986, RFC 5280 §4.2.1.6
 */
import { generateKeyPairSync, sign } from "node:crypto";

export interface KeyAndCsr {
  readonly privateKeyPem: string;
  readonly csrPem: string;
}

const OID_EXTENSION_REQUEST = Buffer.from("06092a864886f70d01090e", "hex");
const OID_SUBJECT_ALT_NAME = Buffer.from("0603551d11", "hex");
const OID_ECDSA_WITH_SHA256 = Buffer.from("06082a8648ce3d040302", "hex");
const VERSION_0 = Buffer.from("020100", "hex");
const TRUE = Buffer.from("0101ff", "hex");

const SEQUENCE = 0x30;
const SET = 0x31;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const ATTRIBUTES = 0xa0;
const GENERAL_NAME_URI = 0x86;

export function createKeyAndCsr(uri: string): KeyAndCsr {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const names = der(SEQUENCE, der(GENERAL_NAME_URI, Buffer.from(uri, "latin1")));
  const extension = der(SEQUENCE, OID_SUBJECT_ALT_NAME, TRUE, der(OCTET_STRING, names));
  const request = der(SEQUENCE, OID_EXTENSION_REQUEST, der(SET, der(SEQUENCE, extension)));
  const subject = der(SEQUENCE);
  const key = publicKey.export({ format: "der", type: "spki" });
  const toBeSigned = der(SEQUENCE, VERSION_0, subject, key, der(ATTRIBUTES, request));
  const signature = sign("sha256", toBeSigned, privateKey);
  const csr = der(
    SEQUENCE,
    toBeSigned,
    der(SEQUENCE, OID_ECDSA_WITH_SHA256),
    der(BIT_STRING, Buffer.from([0]), signature),
  );
  const lines = csr.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    privateKeyPem: String(privateKey.export({ format: "pem", type: "pkcs8" })),
    csrPem: `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`,
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
