/** TLS of a Gateway server or a Sidecar listener. Source: Istio reference, networking/gateway, ServerTLSSettings. */
import { isTree, listAt, type Tree, textAt } from "../tree.ts";
import type { Findings } from "./findings.ts";

const CIPHERS = new Set(
  (
    "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 " +
    "ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-PSK-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-SHA " +
    "ECDHE-RSA-AES128-SHA ECDHE-PSK-AES128-CBC-SHA ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA ECDHE-PSK-AES256-CBC-SHA " +
    "AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA PSK-AES128-CBC-SHA AES256-SHA PSK-AES256-CBC-SHA DES-CBC3-SHA"
  ).split(" "),
);

export function checkServerTls(tls: Tree, path: string, to: Findings): void {
  const mode = textAt(tls, "mode") ?? "PASSTHROUGH";
  warnCiphers(tls, to);
  const given = ["serverCertificate", "privateKey", "caCertificates", "credentialName", "caCertCredentialName"].filter(
    (field) => (textAt(tls, field) ?? "") !== "",
  );
  const has = (field: string) => given.includes(field);
  if (mode === "ISTIO_MUTUAL") {
    for (const field of given) to.error(`${path}.${field}`, `ISTIO_MUTUAL TLS cannot have associated ${field}`);
    return;
  }
  if (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") {
    if (given.length > 0) to.warn(`${mode} mode does not use certificates, but ${given.join(", ")} is set`);
    return;
  }
  const names = listAt(tls, "credentialNames");
  const certificates = listAt(tls, "tlsCertificates");
  if (has("credentialName") && names.length > 0)
    to.error(path, "only one of credential_names or credential_name can be set");
  if (certificates.length > 0 && (names.length > 0 || has("credentialName") || has("serverCertificate"))) {
    to.error(path, "only one of tls_certificates, credential_names or server_certificate can be set");
  }
  if (names.length > 2 || certificates.length > 2)
    to.error(path, "only 2 certificates or credentials, one RSA and one ECDSA, are supported");
  for (const [index, certificate] of certificates.entries()) {
    const at = `${path}.tlsCertificates[${index}]`;
    if ((textAt(certificate, "serverCertificate") ?? "") === "")
      to.error(at, `${mode} TLS requires a server certificate`);
    if ((textAt(certificate, "privateKey") ?? "") === "") to.error(at, `${mode} TLS requires a private key`);
  }
  const needsCa = mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
  if (has("credentialName") || names.length > 0) return;
  if (certificates.length === 0) {
    if (!has("serverCertificate")) to.error(path, `${mode} TLS requires a server certificate`);
    if (!has("privateKey")) to.error(path, `${mode} TLS requires a private key`);
  }
  if (needsCa && !has("caCertificates") && !has("caCertCredentialName"))
    to.error(path, `${mode} TLS requires a CA certificate`);
}

function warnCiphers(tls: Tree, to: Findings): void {
  const suites = listAt(tls, "cipherSuites").map(String);
  const unknown = suites.filter((suite) => !CIPHERS.has(suite));
  if (unknown.length > 0) to.warn(`ignoring invalid cipher suites: ${unknown.join(", ")}`);
  const repeated = suites.filter((suite, index) => suites.indexOf(suite) !== index);
  if (repeated.length > 0) to.warn(`ignoring duplicate cipher suites: ${repeated.join(", ")}`);
}

/** What a Sidecar's listener can't do: it has no secrets of its own and no gateway modes. */
export function checkSidecarTls(tls: unknown, path: string, to: Findings): void {
  if (!isTree(tls)) return;
  const mode = textAt(tls, "mode") ?? "PASSTHROUGH";
  if (mode !== "SIMPLE" && mode !== "MUTUAL") {
    to.error(
      `${path}.mode`,
      `configuration is invalid: sidecar: TLS mode ${mode} is not supported; only SIMPLE and MUTUAL are`,
    );
  }
  if (tls.httpsRedirect === true) to.error(`${path}.httpsRedirect`, "sidecar: TLS httpsRedirect is not supported");
  for (const field of ["subjectAltNames", "credentialNames", "tlsCertificates"]) {
    if (listAt(tls, field).length > 0) to.error(`${path}.${field}`, `sidecar: TLS ${field} is not supported`);
  }
  if ((textAt(tls, "credentialName") ?? "") !== "")
    to.error(`${path}.credentialName`, "sidecar: TLS credentialName is not supported");
  checkServerTls(tls, path, to);
}
