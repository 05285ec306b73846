/** Service account tokens by TokenRequest, bound to the pod; renewed when 80 % of their life is over, as the kubelet does. */
import { type Clock, MeshError, parseRfc3339 } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { type Pod, resourceOf, resourcePath, type TokenRequest } from "@argyle/kube-types";
import { type TokenSource, tokenKey } from "./volume-content.ts";

export interface PodTokens {
  /** Fetches what is missing or due; returns the tokens by tokenKey and when to come back (epoch ms). */
  refresh(sources: readonly TokenSource[]): Promise<{ tokens: ReadonlyMap<string, string>; renewAt?: number }>;
}

interface Held {
  readonly token: string;
  readonly renewAt: number;
}

export function createPodTokens(pod: Pod, client: KubeClient, clock: Clock): PodTokens {
  const held = new Map<string, Held>();
  return {
    async refresh(sources) {
      const wanted = new Map(sources.map((source) => [tokenKey(source), source]));
      await Promise.all(
        [...wanted].map(async ([key, source]) => {
          const current = held.get(key);
          if (current === undefined || current.renewAt <= clock.now())
            held.set(key, await request(pod, source, client, clock));
        }),
      );
      const due = [...held.values()].map(({ renewAt }) => renewAt);
      return {
        tokens: new Map([...held].map(([key, { token }]) => [key, token])),
        ...(due.length === 0 ? {} : { renewAt: Math.min(...due) }),
      };
    },
  };
}

async function request(pod: Pod, source: TokenSource, client: KubeClient, clock: Clock): Promise<Held> {
  const { name, namespace, uid } = pod.metadata;
  const path = resourcePath(resourceOf("ServiceAccount", ""), {
    ...(namespace === undefined ? {} : { namespace }),
    name: pod.spec.serviceAccountName ?? "default",
    subresource: "token",
  });
  const body: TokenRequest = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      audiences: source.audience === undefined ? [] : [source.audience],
      expirationSeconds: source.expirationSeconds,
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name, ...(uid === undefined ? {} : { uid }) },
    },
  };
  const asked = clock.now();
  const { status } = (await client.raw("POST", path, body)) as TokenRequest;
  if (status === undefined) throw new MeshError("the API server gave no token", { code: "kubelet.token.empty" });
  const expires = parseRfc3339(status.expirationTimestamp) ?? asked + source.expirationSeconds * 1000;
  return { token: status.token, renewAt: asked + (expires - asked) * 0.8 };
}
