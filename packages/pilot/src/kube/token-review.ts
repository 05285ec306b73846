/** Service-account tokens are verified by the API server (TokenReview); an answer is remembered for a short while. */
import type { Clock } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { isRecord } from "../model/json.ts";
import type { VerifyToken, WorkloadIdentity } from "../serve/identity.ts";

export const CA_AUDIENCE = "istio-ca";
const REMEMBER_MS = 30_000;

export function createTokenVerifier(client: Pick<KubeClient, "raw">, clock: Clock): VerifyToken {
  const known = new Map<string, { readonly until: number; readonly identity: WorkloadIdentity }>();
  return async (token) => {
    const now = clock.now();
    const held = known.get(token);
    if (held !== undefined && held.until > now) return held.identity;
    const answer = await client.raw("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token, audiences: [CA_AUDIENCE] },
    });
    const identity = identityOf(answer);
    for (const [key, entry] of known) if (entry.until <= now) known.delete(key);
    if (identity !== undefined) known.set(token, { until: now + REMEMBER_MS, identity });
    return identity;
  };
}

/** `system:serviceaccount:<namespace>:<name>`; anyone else is no workload. */
function identityOf(answer: unknown): WorkloadIdentity | undefined {
  const status = isRecord(answer) ? answer.status : undefined;
  if (!isRecord(status) || status.authenticated !== true) return undefined;
  const { audiences, user } = status;
  if (Array.isArray(audiences) && !audiences.includes(CA_AUDIENCE)) return undefined;
  const name = isRecord(user) ? user.username : undefined;
  const match = typeof name === "string" ? /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) : null;
  const [, namespace, serviceAccount] = match ?? [];
  return namespace === undefined || serviceAccount === undefined ? undefined : { namespace, serviceAccount };
}
