/** A throw-away certificate authority that gives SDS secrets with SPIFFE names, for tests. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export async function createAuthority() {
  x509.cryptoProvider.set(webcrypto);
  const rootKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const hour = 3_600_000;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: "O=cluster.local",
    notBefore: new Date(Date.now() - hour),
    notAfter: new Date(Date.now() + hour),
    signingAlgorithm: ALGORITHM,
    keys: rootKeys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    async secrets(spiffeId: string): Promise<readonly object[]> {
      const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: "",
        issuer: root.subject,
        notBefore: new Date(Date.now() - hour),
        notAfter: new Date(Date.now() + hour),
        signingAlgorithm: ALGORITHM,
        publicKey: keys.publicKey,
        signingKey: rootKeys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
          new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]),
        ],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
      const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
      return [
        {
          name: "default",
          tls_certificate: {
            certificate_chain: { inline_string: certificate.toString("pem") },
            private_key: { inline_string: key },
          },
        },
        { name: "ROOTCA", validation_context: { trusted_ca: { inline_string: root.toString("pem") } } },
      ];
    },
  };
}
