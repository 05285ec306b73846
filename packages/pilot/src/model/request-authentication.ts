/** Which JWT rules a workload is under: those of every RequestAuthentication that selects it, by issuer; and whose keys they need. */
import type { JwtRule, RequestAuthentication } from "@argyle/kube-types";
import { byAge, type Config, compareText, selects } from "./config.ts";

export type RequestAuthenticationConfig = Config<RequestAuthentication["spec"]>;

export function jwtRulesOf(
  policies: readonly RequestAuthenticationConfig[],
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): readonly JwtRule[] {
  return policies
    .filter(({ namespace }) => namespace === rootNamespace || namespace === workload.namespace)
    .filter(({ spec }) => spec.targetRef === undefined && (spec.targetRefs ?? []).length === 0)
    .filter(({ spec }) => selects(spec.selector?.matchLabels, workload.labels))
    .sort(byAge)
    .flatMap(({ spec }) => spec.jwtRules ?? [])
    .sort((a, b) => compareText(a.issuer ?? "", b.issuer ?? ""));
}

/** Where the keys of rules without inline ones are fetched. */
export function jwksUrisOf(policies: readonly RequestAuthenticationConfig[]): ReadonlySet<string> {
  const rules = policies.flatMap(({ spec }) => spec.jwtRules ?? []);
  return new Set(
    rules.flatMap(({ jwks, jwksUri }) =>
      (jwks ?? "") === "" && jwksUri !== undefined && jwksUri !== "" ? [jwksUri] : [],
    ),
  );
}
