/**
 * The cluster's keys, created once in `$STATE/pki` (files 0600, directory 0700): the cluster CA, the API server's serving certificate,
 * client certificates of the admin and the components, the kubelet's serving certificate, and the key that signs service-account tokens.
 * All ECDSA P-256. A certificate is issued again when it is missing or has less than 30 days left; the CA and the signing key never are.
 * User = CN, groups = O (Kubernetes documentation, "X509 client certificates").
 */
import "reflect-metadata";
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@argyle/core";
import * as x509 from "@peculiar/x509";

export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface ServiceAccountKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** RFC 7638-like identifier in the JWT header and the JWKS. */
  readonly keyId: string;
}

export interface ClusterPki {
  readonly caCertPem: string;
  readonly serving: KeyPair;
  readonly admin: KeyPair;
  /** Client of the API server and server of the kubelet API (SAN 127.0.0.1, localhost, the node's name). */
  readonly kubelet: KeyPair;
  readonly kubeProxy: KeyPair;
  readonly controllers: KeyPair;
  /** How the API server shows itself to the kubelet API. */
  readonly kubeletClient: KeyPair;
  readonly serviceAccountKey: ServiceAccountKey;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

interface LeafSpec {
  readonly file: string;
  readonly commonName: string;
  readonly organization?: string;
  readonly serverNames?: readonly x509.JsonGeneralName[];
}

export async function openPki(dir: string, clock: Clock, nodeName: string): Promise<ClusterPki> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  x509.cryptoProvider.set(webcrypto as unknown as typeof globalThis.crypto);
  const ca = await openCa(dir, clock);
  const leaf = (spec: LeafSpec) => openLeaf(dir, clock, ca, spec);
  return {
    caCertPem: ca.certPem,
    serving: await leaf({ file: "apiserver", commonName: "kube-apiserver", serverNames: SERVING_NAMES }),
    admin: await leaf({ file: "admin", commonName: "kubernetes-admin", organization: "system:masters" }),
    kubelet: await leaf({
      file: "kubelet",
      commonName: `system:node:${nodeName}`,
      organization: "system:nodes",
      serverNames: [
        { type: "dns", value: "localhost" },
        { type: "dns", value: nodeName },
        { type: "ip", value: "127.0.0.1" },
      ],
    }),
    kubeProxy: await leaf({ file: "kube-proxy", commonName: "system:kube-proxy" }),
    controllers: await leaf({ file: "controllers", commonName: "system:kube-controller-manager" }),
    kubeletClient: await leaf({
      file: "apiserver-kubelet-client",
      commonName: "kube-apiserver-kubelet-client",
      organization: "system:masters",
    }),
    serviceAccountKey: await openServiceAccountKey(dir),
  };
}

const SERVING_NAMES: readonly x509.JsonGeneralName[] = [
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "10.96.0.1" },
  { type: "dns", value: "localhost" },
  { type: "dns", value: "kubernetes" },
  { type: "dns", value: "kubernetes.default" },
  { type: "dns", value: "kubernetes.default.svc" },
  { type: "dns", value: "kubernetes.default.svc.cluster.local" },
];

interface Ca {
  readonly certPem: string;
  readonly cert: x509.X509Certificate;
  readonly signingKey: webcrypto.CryptoKey;
}

async function openCa(dir: string, clock: Clock): Promise<Ca> {
  const found = readPair(dir, "ca");
  if (found !== undefined) {
    const signingKey = await importKey(found.keyPem);
    return { certPem: found.certPem, cert: new x509.X509Certificate(found.certPem), signingKey };
  }
  const keys = await generateKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=kubernetes",
    notBefore: new Date(clock.now() - DAY_MS),
    notAfter: new Date(clock.now() + 3650 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pair = { certPem: `${cert.toString("pem").trimEnd()}\n`, keyPem: await exportKey(keys.privateKey) };
  writePair(dir, "ca", pair);
  return { certPem: pair.certPem, cert, signingKey: keys.privateKey };
}

async function openLeaf(dir: string, clock: Clock, ca: Ca, spec: LeafSpec): Promise<KeyPair> {
  const found = readPair(dir, spec.file);
  if (found !== undefined) {
    const cert = new x509.X509Certificate(found.certPem);
    if (cert.notAfter.getTime() - clock.now() > 30 * DAY_MS && cert.issuer === ca.cert.subject) return found;
  }
  const keys = await generateKeys();
  const usages: string[] = [x509.ExtendedKeyUsage.clientAuth];
  if (spec.serverNames !== undefined) usages.push(x509.ExtendedKeyUsage.serverAuth);
  const organization = spec.organization === undefined ? "" : `,O=${spec.organization}`;
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${spec.commonName}${organization}`,
    issuer: ca.cert.subject,
    notBefore: new Date(clock.now() - DAY_MS),
    notAfter: new Date(clock.now() + 365 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: ca.signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      await x509.AuthorityKeyIdentifierExtension.create(ca.cert),
      ...(spec.serverNames === undefined ? [] : [new x509.SubjectAlternativeNameExtension([...spec.serverNames])]),
    ],
  });
  const pair = { certPem: `${cert.toString("pem").trimEnd()}\n`, keyPem: await exportKey(keys.privateKey) };
  writePair(dir, spec.file, pair);
  return pair;
}

async function openServiceAccountKey(dir: string): Promise<ServiceAccountKey> {
  const path = join(dir, "sa.key");
  if (!existsSync(path)) writePrivate(path, await exportKey((await generateKeys()).privateKey));
  const privateKey = createPrivateKey(readFileSync(path, "utf8"));
  const publicKey = createPublicKey(privateKey);
  const der = publicKey.export({ type: "spki", format: "der" });
  return { privateKey, publicKey, keyId: createHash("sha256").update(der).digest("base64url") };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY").trimEnd()}\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decode(pem)[0];
  if (der === undefined) throw new Error("the file holds no PEM block");
  return (await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"])) as webcrypto.CryptoKey;
}

/** Positive, 16 bytes. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

function readPair(dir: string, name: string): KeyPair | undefined {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  if (!existsSync(cert) || !existsSync(key)) return undefined;
  return { certPem: readFileSync(cert, "utf8"), keyPem: readFileSync(key, "utf8") };
}

/** The key first: a certificate on disk always has its key. */
function writePair(dir: string, name: string, pair: KeyPair): void {
  writePrivate(join(dir, `${name}.key`), pair.keyPem);
  writePrivate(join(dir, `${name}.crt`), pair.certPem);
}

export function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
