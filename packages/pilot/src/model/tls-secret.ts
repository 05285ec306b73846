/**
 * Certificates for gateways out of Kubernetes Secrets: type kubernetes.io/tls or generic, under any of the key names that Istio reads.
 * Spec: istio.io, Secure Gateways.
 */
import type { Secret } from "@argyle/kube-types";
import type { TlsSecret } from "./mesh-state.ts";

export function tlsSecretOf(secret: Secret): TlsSecret | undefined {
  const fields = secret.data ?? {};
  const certificate = fields["tls.crt"] ?? fields.cert;
  const key = fields["tls.key"] ?? fields.key;
  const caCertificate = fields["ca.crt"] ?? fields.cacert;
  if (certificate === undefined && caCertificate === undefined) return undefined;
  if (secret.type === "kubernetes.io/service-account-token") return undefined;
  return {
    namespace: secret.metadata.namespace ?? "default",
    name: secret.metadata.name,
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(caCertificate === undefined ? {} : { caCertificate }),
  };
}
