/** envoy Secret, TlsCertificate and CertificateValidationContext: the PEM texts. Inline only; nothing is read from disk here. */
import { rootCertificates } from "node:tls";
import type { Fields } from "./fields.ts";

export type SecretConfig =
  | { readonly kind: "certificate"; readonly chain: string; readonly privateKey: string }
  | { readonly kind: "validation"; readonly trustedCa: string; readonly crl: string | undefined };

const SYSTEM_ROOTS: ReadonlySet<string> = new Set([
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
]);

export function compileSecretResource(fields: Fields): SecretConfig {
  const certificate = fields.object("tls_certificate");
  if (certificate !== undefined) return compileSecret(certificate, "certificate");
  const validation = fields.object("validation_context");
  if (validation !== undefined) return compileSecret(validation, "validation");
  fields.problem("", "needs a tls_certificate or a validation_context");
  return { kind: "validation", trustedCa: "", crl: undefined };
}

export function compileSecret(fields: Fields, kind: SecretConfig["kind"]): SecretConfig {
  if (kind === "certificate")
    return { kind, chain: pem(fields, "certificate_chain"), privateKey: pem(fields, "private_key") };
  return { kind, trustedCa: pem(fields, "trusted_ca"), crl: fields.has("crl") ? pem(fields, "crl") : undefined };
}

function pem(fields: Fields, name: string): string {
  const source = fields.object(name);
  if (source === undefined) {
    fields.problem(name, "value is required");
    return "";
  }
  if (source.has("inline_string")) return source.string("inline_string");
  if (source.has("inline_bytes")) return Buffer.from(source.string("inline_bytes"), "base64").toString("utf8");
  // The roots of the machine: Node carries the same list, so no file is read here.
  if (name === "trusted_ca" && SYSTEM_ROOTS.has(source.string("filename"))) return rootCertificates.join("\n");
  source.problem("", "only inline_string and inline_bytes are supported");
  return "";
}
