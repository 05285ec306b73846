/** What is read is compared with what another implementation wrote, and what is written with what others read. */
import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, webcrypto, X509Certificate } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import { readCertificateRequest } from "./certificate-request.ts";
import { readIssuer } from "./issuer.ts";
import { issueCertificate } from "./leaf-certificate.ts";

x509.cryptoProvider.set(webcrypto as never);
const NOW = Date.UTC(2026, 10, 22);
const RSA = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const algorithms = [
  { name: "P-256 with SHA-256", algorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } },
  { name: "P-384 with SHA-384", algorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } },
  { name: "RSA with SHA-256", algorithm: { ...RSA, hash: "SHA-256" } },
  { name: "RSA with SHA-512", algorithm: { ...RSA, hash: "SHA-512" } },
  { name: "Ed25519", algorithm: { name: "Ed25519" } },
];

async function request(algorithm: object) {
  const keys = (await webcrypto.subtle.generateKey(algorithm as never, true, ["sign", "verify"])) as never as {
    readonly publicKey: webcrypto.CryptoKey;
  };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=whoever, O=wherever",
    keys: keys as never,
    signingAlgorithm: algorithm as never,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "a.b" }])],
  });
  const spki = Buffer.from(await webcrypto.subtle.exportKey("spki", keys.publicKey));
  return { pem: csr.toString("pem"), der: Buffer.from(csr.rawData), spki };
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}

for (const { name, algorithm } of algorithms) {
  test(`takes the key of a request: ${name}`, async () => {
    const { pem, spki } = await request(algorithm);
    assert.deepEqual(readCertificateRequest(pem), spki);
  });
}

test("a request that is cut off anywhere, or that something follows, is refused", async () => {
  const { der } = await request({ name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" });
  for (let length = 0; length < der.length; length++)
    assert.throws(() => readCertificateRequest(pemOf(der.subarray(0, length))));
  assert.throws(() => readCertificateRequest(pemOf(Buffer.concat([der, Buffer.from([5, 0])]))));
});

test("a request with any bit turned is refused, or gives the key that it was made for", async () => {
  const { der, spki } = await request({ name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" });
  for (let bit = 0; bit < der.length * 8; bit++) {
    const turned = Buffer.from(der);
    turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    let found: Buffer | undefined;
    try {
      found = readCertificateRequest(pemOf(turned));
    } catch {
      continue;
    }
    assert.deepEqual(found, spki);
  }
});

async function issuerWith(extensions: readonly x509.Extension[]) {
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "O=Ümlaut, OU=two, CN=ca",
    notBefore: new Date(NOW),
    notAfter: new Date(NOW + 1e12),
    keys: keys as never,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true), ...extensions],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { certificate, key: createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }) };
}

const keyIds = [
  { name: "of its own", extensions: [new x509.SubjectKeyIdentifierExtension("0102030405")], keyId: "0102030405" },
  { name: "that its key gives", extensions: [], keyId: undefined },
];

for (const { name, extensions, keyId } of keyIds) {
  test(`an issued certificate is its issuer's, which has a key identifier ${name}`, async () => {
    const { certificate, key } = await issuerWith(extensions);
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = issueCertificate({
      serialNumber: Buffer.from("4101", "hex"),
      issuer: readIssuer(Buffer.from(certificate.rawData)),
      issuerKey: key,
      notBefore: NOW,
      notAfter: Date.UTC(2051, 0, 2, 3, 4, 5),
      publicKeyInfo: publicKey.export({ format: "der", type: "spki" }),
      names: [
        { kind: "uri", value: "spiffe://cluster.local/ns/a/sa/b" },
        { kind: "dns", value: "a.b" },
      ],
      areNamesCritical: false,
    });
    const leaf = new X509Certificate(pem);
    const ca = new X509Certificate(certificate.toString("pem"));
    assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
    assert.equal(leaf.issuer, ca.subject);
    assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/a/sa/b, DNS:a.b");
    assert.equal(leaf.serialNumber, "4101");
    assert.equal(Date.parse(leaf.validTo), Date.UTC(2051, 0, 2, 3, 4, 5));
    assert.ok(leaf.publicKey.equals(publicKey));
    const other = new x509.X509Certificate(pem);
    const authority = other.getExtension(x509.AuthorityKeyIdentifierExtension);
    const expected = keyId ?? Buffer.from(await certificate.publicKey.getKeyIdentifier()).toString("hex");
    assert.equal(authority?.keyId, expected);
    assert.equal(other.getExtension(x509.BasicConstraintsExtension)?.ca, false);
    assert.equal(
      other.getExtension(x509.KeyUsagesExtension)?.usages,
      x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
    );
  });
}
