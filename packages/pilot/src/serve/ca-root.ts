/** A mesh's own root certificate, made when it has none. Loaded by ca.ts only then: the library that makes it is as large as the rest of istiod's start. */
import "reflect-metadata";
import { createPrivateKey, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { CaFiles } from "./ca-store.ts";
import { newSerialNumber, notBefore } from "./x509/new-certificate.ts";

const ROOT_TTL_MS = 3650 * 86_400_000;
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export async function createRoot(now: number, trustDomain: string): Promise<CaFiles> {
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber().toString("hex"),
    name: [{ O: [trustDomain] }],
    notBefore: new Date(notBefore(now)),
    notAfter: new Date(now + ROOT_TTL_MS),
    keys: keys as never,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return {
    "ca-cert.pem": `${root.toString("pem").trim()}\n`,
    "ca-key.pem": String(key.export({ format: "pem", type: "pkcs8" })),
  };
}
