import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, webcrypto, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createFakeClock } from "@argyle/testkit";
import * as x509 from "@peculiar/x509";
import { type CertificateAuthority, createCertificateAuthority } from "./ca.ts";
import { type CaStore, createMemoryCaStore } from "./ca-store.ts";

const NOW = Date.UTC(2026, 10, 22);
const identity = { namespace: "sock-shop", serviceAccount: "front-end" };

function start(store: CaStore = createMemoryCaStore(), workloadTtlSeconds?: number) {
  const ttl = workloadTtlSeconds === undefined ? {} : { workloadTtlSeconds };
  return createCertificateAuthority({ store, clock: createFakeClock(NOW), trustDomain: "cluster.local", ...ttl });
}

async function makeCsr(algorithm: EcKeyGenParams | RsaHashedKeyGenParams = P256, name = ""): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys: keys as never,
    signingAlgorithm: algorithm as never,
  });
  return csr.toString("pem");
}
type EcKeyGenParams = webcrypto.EcKeyGenParams & { hash: string };
type RsaHashedKeyGenParams = webcrypto.RsaHashedKeyGenParams;
const P256: EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA: RsaHashedKeyGenParams = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

function parse(pem: string | undefined): X509Certificate {
  return new X509Certificate(pem ?? "");
}

async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => "no error",
    (error) => error.code,
  );
}

for (const [name, algorithm] of [["EC", P256] as const, ["RSA", RSA] as const]) {
  test(`signs a SPIFFE certificate for an ${name} key, whatever the CSR calls itself`, async () => {
    const ca = await start();
    const [leafPem, rootPem, ...rest] = await ca.signWorkload(await makeCsr(algorithm, "CN=admin"), identity, 0);
    assert.equal(rest.length, 0);
    assert.equal(rootPem, ca.rootCertPem);
    const leaf = parse(leafPem);
    assert.equal(leaf.subject, undefined);
    assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/sock-shop/sa/front-end");
    assert.equal(leaf.ca, false);
    assert.ok(leaf.verify(parse(rootPem).publicKey));
    assert.equal(Date.parse(leaf.validTo), NOW + 86_400_000);
    assert.ok(Date.parse(leaf.validFrom) < NOW);
    const san = new x509.X509Certificate(leafPem ?? "").getExtension("2.5.29.17");
    assert.equal(san?.critical, true);
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  });
}

test("gives the validity that was asked for, within the maximum", async () => {
  const ca = await start();
  const [leaf] = await ca.signWorkload(await makeCsr(), identity, 3600);
  assert.equal(Date.parse(parse(leaf).validTo), NOW + 3_600_000);
  assert.equal(await codeOf(ca.signWorkload(await makeCsr(), identity, 91 * 86_400)), "pilot.ca.bad-ttl");
  assert.equal(await codeOf(ca.signWorkload(await makeCsr(), identity, -1)), "pilot.ca.bad-ttl");
});

test("refuses what is no CSR and one whose signature is wrong", async () => {
  const ca = await start();
  assert.equal(await codeOf(ca.signWorkload("hello", identity, 0)), "pilot.ca.bad-csr");
  const lines = (await makeCsr()).split("\n");
  const der = Buffer.from(lines.slice(1, -1).join(""), "base64");
  der[der.length - 4] = (der[der.length - 4] ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
  assert.equal(await codeOf(ca.signWorkload(forged, identity, 0)), "pilot.ca.bad-csr");
});

test("keeps its root over restarts, also when two start at once", async () => {
  const store = createMemoryCaStore();
  const [a, b] = await Promise.all([start(store), start(store)]);
  const c = await start(store);
  assert.equal(a?.rootCertPem, b?.rootCertPem);
  assert.equal(a?.rootCertPem, c.rootCertPem);
  const root = parse(c.rootCertPem);
  assert.ok(root.ca && root.verify(root.publicKey));
  assert.equal(c.rootExpiresAt, Date.parse(root.validTo));
});

test("issues a serving certificate for DNS names whose key fits", async () => {
  const ca = await start();
  const pair = await ca.issueServing(["istiod.istio-system.svc"], 3600);
  const leaf = parse(pair.certChainPem);
  assert.equal(leaf.subjectAltName, "DNS:istiod.istio-system.svc");
  assert.ok(leaf.checkPrivateKey(createPrivateKey(pair.privateKeyPem)));
  assert.ok(leaf.verify(parse(ca.rootCertPem).publicKey));
});

test("signs with a plugged-in intermediate and returns the chain up to the root", async () => {
  const { files, rootPem, intermediatePem } = await makeIntermediate();
  const store: CaStore = { load: async (name) => (name === "cacerts" ? files : undefined), create: async () => false };
  const ca: CertificateAuthority = await start(store);
  assert.equal(ca.rootCertPem.trim(), rootPem.trim());
  const chain = await ca.signWorkload(await makeCsr(), identity, 0);
  assert.deepEqual(
    chain.slice(1).map((pem) => pem.trim()),
    [intermediatePem.trim(), rootPem.trim()],
  );
  assert.ok(parse(chain[0]).verify(parse(intermediatePem).publicKey));
  assert.ok(parse(chain[0]).checkIssued(parse(intermediatePem)));
});

test("says what is wrong with a CA Secret", async () => {
  const store = (files: Record<string, string>): CaStore => ({ load: async () => files, create: async () => false });
  assert.equal(await codeOf(start(store({}))), "pilot.ca.no-key");
  assert.equal(await codeOf(start(store({ "ca-cert.pem": "x", "ca-key.pem": "y" }))), "pilot.ca.bad-key");
});

/** A root and an RSA intermediate whose key is in PKCS#1 form, as openssl writes it. */
async function makeIntermediate() {
  const rootKeys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const dates = { notBefore: new Date(NOW - 1000), notAfter: new Date(NOW + 365 * 86_400_000) };
  const constraints = new x509.BasicConstraintsExtension(true, undefined, true);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates,
    serialNumber: "01",
    name: "O=Root",
    keys: rootKeys as never,
    signingAlgorithm: P256,
    extensions: [constraints],
  });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const intermediate = await x509.X509CertificateGenerator.create({
    ...dates,
    serialNumber: "02",
    subject: "O=Intermediate",
    issuer: root.subject,
    signingKey: rootKeys.privateKey as never,
    signingAlgorithm: P256,
    publicKey: (await webcrypto.subtle.importKey("spki", spki, RSA, true, ["verify"])) as never,
    extensions: [constraints],
  });
  const rootPem = root.toString("pem");
  const intermediatePem = intermediate.toString("pem");
  const files = {
    "ca-cert.pem": intermediatePem,
    "ca-key.pem": String(privateKey.export({ format: "pem", type: "pkcs1" })),
    "cert-chain.pem": `${intermediatePem}\n${rootPem}`,
    "root-cert.pem": rootPem,
  };
  return { files, rootPem, intermediatePem };
}
