/**
 * The mesh's certificate authority: a self-signed root of its own, or the one plugged in as Secret `cacerts`.
 * Workload certificates carry one critical URI SAN and an empty subject (SPIFFE X.509-SVID); what a CSR asks for is ignored except its
 * key: the name comes from the authenticated caller.
 * https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { type Clock, MeshError } from "@argyle/core";
import * as x509 from "@peculiar/x509";
import type { CaFiles, CaStore } from "./ca-store.ts";
import { spiffeId, type WorkloadIdentity } from "./identity.ts";

export interface CaOptions {
  readonly store: CaStore;
  readonly clock: Clock;
  readonly trustDomain: string;
  /** Default 24 h, at most `maxTtlSeconds` (90 days). */
  readonly workloadTtlSeconds?: number;
  readonly maxTtlSeconds?: number;
}

export interface KeyPairPem {
  /** Leaf first, then intermediates; the root is not in it. */
  readonly certChainPem: string;
  readonly privateKeyPem: string;
}

export interface CertificateAuthority {
  /** What everyone in the mesh trusts: for ConfigMap istio-ca-root-cert and webhook caBundles. */
  readonly rootCertPem: string;
  readonly rootExpiresAt: number;
  /** Leaf first, root last, each one PEM block; `ttlSeconds` 0 means the default. Throws MeshError pilot.ca.* */
  signWorkload(csrPem: string, identity: WorkloadIdentity, ttlSeconds: number): Promise<readonly string[]>;
  /** A new key and certificate for istiod's own servers. */
  issueServing(dnsNames: readonly string[], ttlSeconds: number): Promise<KeyPairPem>;
}

/** Certificates are valid from a little before now: clocks differ. */
const SKEW_MS = 120_000;
const DAY_MS = 86_400_000;
const ROOT_TTL_MS = 3650 * DAY_MS;
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

interface Signer {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
  readonly algorithm: x509.X509CertificateCreateParams["signingAlgorithm"];
  /** Between the leaf and the root, PEM. */
  readonly intermediates: readonly string[];
  readonly rootPem: string;
}

type CryptoKey = webcrypto.CryptoKey;

export async function createCertificateAuthority(options: CaOptions): Promise<CertificateAuthority> {
  x509.cryptoProvider.set(webcrypto as never);
  const signer = await loadSigner(await loadOrCreate(options));
  const maxTtlSeconds = options.maxTtlSeconds ?? 90 * 86_400;
  const defaultTtlSeconds = options.workloadTtlSeconds ?? 86_400;

  const sign = async (
    publicKey: x509.PublicKeyType,
    san: x509.JsonGeneralName[],
    isCritical: boolean,
    ttlMs: number,
  ) => {
    const now = options.clock.now();
    const notAfter = Math.min(now + ttlMs, signer.certificate.notAfter.getTime());
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: newSerialNumber(),
      issuer: signer.certificate.subject,
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(notAfter),
      signingKey: signer.key as never,
      signingAlgorithm: signer.algorithm as never,
      publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension(san, isCritical),
        await x509.AuthorityKeyIdentifierExtension.create(signer.certificate),
      ],
    });
    return pem(leaf);
  };

  return {
    rootCertPem: signer.rootPem,
    rootExpiresAt: new x509.X509Certificate(signer.rootPem).notAfter.getTime(),
    async signWorkload(csrPem, identity, ttlSeconds) {
      const csr = await readCsr(csrPem);
      const seconds = ttlSeconds === 0 ? defaultTtlSeconds : ttlSeconds;
      if (seconds < 0 || seconds > maxTtlSeconds) {
        throw new MeshError(`the requested validity of ${seconds} s is not within ${maxTtlSeconds} s`, {
          code: "pilot.ca.bad-ttl",
          origin: "downstream",
        });
      }
      const uri = spiffeId(options.trustDomain, identity);
      const leaf = await sign(csr.publicKey, [{ type: "url", value: uri }], true, seconds * 1000);
      return [leaf, ...signer.intermediates, signer.rootPem];
    },
    async issueServing(dnsNames, ttlSeconds) {
      const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
      const san = dnsNames.map((value) => ({ type: "dns" as const, value }));
      const leaf = await sign(keys.publicKey as never, san, true, ttlSeconds * 1000);
      return {
        certChainPem: [leaf, ...signer.intermediates].join(""),
        privateKeyPem: await exportKey(keys.privateKey),
      };
    },
  };
}

async function loadOrCreate({ store, clock, trustDomain }: CaOptions): Promise<CaFiles> {
  const existing = (await store.load("cacerts")) ?? (await store.load("istio-ca-secret"));
  if (existing !== undefined) return existing;
  const created = await createRoot(clock.now(), trustDomain);
  if (await store.create("istio-ca-secret", created)) return created;
  const faster = await store.load("istio-ca-secret");
  if (faster !== undefined) return faster;
  throw new MeshError("Secret istio-ca-secret exists but cannot be read", { code: "pilot.ca.no-key" });
}

async function createRoot(now: number, trustDomain: string): Promise<CaFiles> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ O: [trustDomain] }],
    notBefore: new Date(now - SKEW_MS),
    notAfter: new Date(now + ROOT_TTL_MS),
    keys: keys as never,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  return { "ca-cert.pem": pem(root), "ca-key.pem": await exportKey(keys.privateKey) };
}

async function loadSigner(files: CaFiles): Promise<Signer> {
  const certPem = files["ca-cert.pem"];
  const keyPem = files["ca-key.pem"];
  if (certPem === undefined || keyPem === undefined) {
    throw new MeshError("the CA Secret must have ca-cert.pem and ca-key.pem", { code: "pilot.ca.no-key" });
  }
  try {
    const certificate = new x509.X509Certificate(certPem);
    const key = createPrivateKey(keyPem);
    const algorithm =
      key.asymmetricKeyType === "ec"
        ? { name: "ECDSA", namedCurve: curveOf(key.asymmetricKeyDetails?.namedCurve), hash: "SHA-256" }
        : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    const der = key.export({ format: "der", type: "pkcs8" });
    const rootPem = normalize(files["root-cert.pem"] ?? certPem);
    const isRoot = files["root-cert.pem"] === undefined || normalize(certPem) === rootPem;
    const chain = splitPem(files["cert-chain.pem"] ?? certPem).filter((one) => one !== rootPem);
    return {
      certificate,
      algorithm,
      key: await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]),
      intermediates: isRoot ? [] : chain,
      rootPem,
    };
  } catch (cause) {
    throw new MeshError("the CA Secret cannot be read", { code: "pilot.ca.bad-key", cause });
  }
}

async function readCsr(csrPem: string): Promise<x509.Pkcs10CertificateRequest> {
  const refuse = (cause?: unknown) =>
    new MeshError("not a valid certificate signing request", { code: "pilot.ca.bad-csr", origin: "downstream", cause });
  try {
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    if (await csr.verify()) return csr;
  } catch (cause) {
    throw refuse(cause);
  }
  throw refuse();
}

function curveOf(name: string | undefined): string {
  if (name === "secp384r1") return "P-384";
  return name === "secp521r1" ? "P-521" : "P-256";
}

/** 127 random bits: positive, as RFC 5280 §4.1.2.2 demands. */
function newSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return String(createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" }));
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem").trim()}\n`;
}

function splitPem(text: string): string[] {
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([one]) =>
    normalize(one),
  );
}

function normalize(certPem: string): string {
  return pem(new x509.X509Certificate(certPem));
}
