/** Which AuthorizationPolicies a workload is under: the root namespace's and its own namespace's, by selector; the oldest first. */
import type { AuthorizationPolicySpec } from "@argyle/kube-types";
import { byAge, type Config, selects } from "./config.ts";

export type AuthorizationConfig = Config<AuthorizationPolicySpec>;

export function authorizationOf(
  policies: readonly AuthorizationConfig[],
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): readonly AuthorizationConfig[] {
  const applies = ({ spec }: AuthorizationConfig) =>
    // Policies with targets belong to Gateways of the Gateway API, never to workloads by label.
    spec.targetRef === undefined &&
    (spec.targetRefs ?? []).length === 0 &&
    selects(spec.selector?.matchLabels, workload.labels);
  const inNamespace = (namespace: string) =>
    policies.filter((policy) => policy.namespace === namespace && applies(policy)).sort(byAge);
  return workload.namespace === rootNamespace
    ? inNamespace(rootNamespace)
    : [...inNamespace(rootNamespace), ...inNamespace(workload.namespace)];
}
