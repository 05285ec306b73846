/** A throw-away certificate authority that gives SDS secrets with SPIFFE names, for tests. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

export interface CertificateOptions {
  readonly names: { readonly type: "url" | "dns"; readonly value: string }[];
  readonly usages?: string[];
  readonly isExpired?: boolean;
}

export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface NamedSecret {
  readonly name: string;
  readonly [field: string]: unknown;
}

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
  const issue = async (options: CertificateOptions): Promise<IssuedCertificate> => {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: "",
      issuer: root.subject,
      notBefore: new Date(Date.now() - 2 * hour),
      notAfter: new Date(Date.now() + (options.isExpired === true ? -hour : hour)),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension(options.names, true),
        new x509.ExtendedKeyUsageExtension(options.usages ?? [SERVER_AUTH, CLIENT_AUTH]),
      ],
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
    const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
    return { cert: certificate.toString("pem"), key };
  };
  const rootPem = root.toString("pem");
  return {
    root: rootPem,
    issue,
    async secrets(spiffeId: string): Promise<readonly NamedSecret[]> {
      const { cert, key } = await issue({ names: [{ type: "url", value: spiffeId }] });
      return [
        {
          name: "default",
          tls_certificate: { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } },
        },
        { name: "ROOTCA", validation_context: { trusted_ca: { inline_string: rootPem } } },
      ];
    },
  };
}
