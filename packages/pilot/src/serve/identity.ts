/**
 * Who a peer of istiod is: a SPIFFE certificate of the mesh (mTLS), or else a service-account token in `authorization: Bearer`.
 * https://istio.io/latest/docs/concepts/security/#istio-identity
 */
import type { PeerCertificate } from "node:tls";
import type { Metadata } from "@grpc/grpc-js";

export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Undefined: not a token that we accept. Rejects only when it could not be checked. */
export type VerifyToken = (token: string) => Promise<WorkloadIdentity | undefined>;

export async function identify(
  peer: PeerCertificate | undefined,
  metadata: Metadata,
  trustDomain: string,
  verifyToken: VerifyToken,
): Promise<WorkloadIdentity | undefined> {
  const certified = peer === undefined ? undefined : identityOfSan(peer.subjectaltname ?? "", trustDomain);
  if (certified !== undefined) return certified;
  const token = /^Bearer (\S+)$/i.exec(String(metadata.get("authorization")[0] ?? ""))?.[1];
  return token === undefined ? undefined : verifyToken(token);
}

export function spiffeId(trustDomain: string, identity: WorkloadIdentity): string {
  return `spiffe://${trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

/** `san` is Node's text form, `URI:spiffe://cluster.local/ns/a/sa/b, DNS:…`. */
function identityOfSan(san: string, trustDomain: string): WorkloadIdentity | undefined {
  for (const entry of san.split(", ")) {
    const match = /^URI:spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(entry);
    const [, domain, namespace, serviceAccount] = match ?? [];
    if (domain === trustDomain && namespace !== undefined && serviceAccount !== undefined) {
      return { namespace, serviceAccount };
    }
  }
  return undefined;
}
