/**
 * The mesh's certificate authority: a self-signed root of its own, or the one plugged in as Secret `cacerts`.
 * Workload certificates carry one critical URI SAN and an empty subject (SPIFFE X.509-SVID); what a CSR asks for is ignored except its
 * key: the name comes from the authenticated caller.
 * https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { type Clock, MeshError } from "@argyle/core";
import type { CaFiles, CaStore } from "./ca-store.ts";
import { spiffeId, type WorkloadIdentity } from "./identity.ts";
import { readCertificateRequest } from "./x509/certificate-request.ts";
import { type Issuer, readIssuer } from "./x509/issuer.ts";
import { issueCertificate, type SubjectAltName } from "./x509/leaf-certificate.ts";
import { newSerialNumber, notBefore } from "./x509/new-certificate.ts";

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

interface Signer {
  readonly issuer: Issuer;
  readonly key: KeyObject;
  readonly notAfter: number;
  /** Between the leaf and the root, PEM. */
  readonly intermediates: readonly string[];
  readonly rootPem: string;
}

export async function createCertificateAuthority(options: CaOptions): Promise<CertificateAuthority> {
  const signer = loadSigner(await loadOrCreate(options));
  const maxTtlSeconds = options.maxTtlSeconds ?? 90 * 86_400;
  const defaultTtlSeconds = options.workloadTtlSeconds ?? 86_400;

  const sign = (publicKeyInfo: Buffer, names: readonly SubjectAltName[], areNamesCritical: boolean, ttlMs: number) => {
    const now = options.clock.now();
    return issueCertificate({
      serialNumber: newSerialNumber(),
      issuer: signer.issuer,
      issuerKey: signer.key,
      notBefore: notBefore(now),
      notAfter: Math.min(now + ttlMs, signer.notAfter),
      publicKeyInfo,
      names,
      areNamesCritical,
    });
  };

  return {
    rootCertPem: signer.rootPem,
    rootExpiresAt: Date.parse(new X509Certificate(signer.rootPem).validTo),
    async signWorkload(csrPem, identity, ttlSeconds) {
      const publicKeyInfo = readCsr(csrPem);
      const seconds = ttlSeconds === 0 ? defaultTtlSeconds : ttlSeconds;
      if (seconds < 0 || seconds > maxTtlSeconds) {
        throw new MeshError(`the requested validity of ${seconds} s is not within ${maxTtlSeconds} s`, {
          code: "pilot.ca.bad-ttl",
          origin: "downstream",
        });
      }
      const uri = spiffeId(options.trustDomain, identity);
      const leaf = sign(publicKeyInfo, [{ kind: "uri", value: uri }], true, seconds * 1000);
      return [leaf, ...signer.intermediates, signer.rootPem];
    },
    async issueServing(dnsNames, ttlSeconds) {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const names = dnsNames.map((value) => ({ kind: "dns", value }) as const);
      const leaf = sign(publicKey.export({ format: "der", type: "spki" }), names, true, ttlSeconds * 1000);
      return {
        certChainPem: [leaf, ...signer.intermediates].join(""),
        privateKeyPem: String(privateKey.export({ format: "pem", type: "pkcs8" })),
      };
    },
  };
}

async function loadOrCreate({ store, clock, trustDomain }: CaOptions): Promise<CaFiles> {
  const existing = (await store.load("cacerts")) ?? (await store.load("istio-ca-secret"));
  if (existing !== undefined) return existing;
  // Once in the life of a mesh: what it takes is loaded when it is needed.
  const { createRoot } = await import("./ca-root.ts");
  const created = await createRoot(clock.now(), trustDomain);
  if (await store.create("istio-ca-secret", created)) return created;
  const faster = await store.load("istio-ca-secret");
  if (faster !== undefined) return faster;
  throw new MeshError("Secret istio-ca-secret exists but cannot be read", { code: "pilot.ca.no-key" });
}

function loadSigner(files: CaFiles): Signer {
  const certPem = files["ca-cert.pem"];
  const keyPem = files["ca-key.pem"];
  if (certPem === undefined || keyPem === undefined) {
    throw new MeshError("the CA Secret must have ca-cert.pem and ca-key.pem", { code: "pilot.ca.no-key" });
  }
  try {
    const certificate = new X509Certificate(certPem);
    const rootPem = normalize(files["root-cert.pem"] ?? certPem);
    const isRoot = files["root-cert.pem"] === undefined || normalize(certPem) === rootPem;
    const chain = splitPem(files["cert-chain.pem"] ?? certPem).filter((one) => one !== rootPem);
    return {
      issuer: readIssuer(certificate.raw),
      key: createPrivateKey(keyPem),
      notAfter: Date.parse(certificate.validTo),
      intermediates: isRoot ? [] : chain,
      rootPem,
    };
  } catch (cause) {
    throw new MeshError("the CA Secret cannot be read", { code: "pilot.ca.bad-key", cause });
  }
}

function readCsr(csrPem: string): Buffer {
  try {
    return readCertificateRequest(csrPem);
  } catch (cause) {
    throw new MeshError("not a valid certificate signing request", {
      code: "pilot.ca.bad-csr",
      origin: "downstream",
      cause,
    });
  }
}

function splitPem(text: string): string[] {
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([one]) =>
    normalize(one),
  );
}

function normalize(certPem: string): string {
  return `${new X509Certificate(certPem).toString().trim()}\n`;
}
