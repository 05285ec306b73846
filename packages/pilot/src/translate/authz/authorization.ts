/**
 * AuthorizationPolicies as RBAC filters of a workload, in the order in which Istio decides: CUSTOM, AUDIT, DENY, ALLOW. With any ALLOW policy what
 * none allows is denied. Policies in dry run (annotation istio.io/dry-run) become shadow rules. CUSTOM hands the decision to a service outside,
 * which our proxies cannot ask: requests that such a policy selects are denied, as Istio does when a provider is unknown.
 * Spec: istio.io reference, Authorization Policy.
 */
import { type AuthorizationConfig, authorizationOf } from "../../model/authorization.ts";
import type { EnvoyMessage } from "../../model/json.ts";
import { trustDomainsOf } from "../../model/mesh-config.ts";
import type { TranslateContext } from "../context.ts";
import { NEVER, rbacPolicy } from "./rule.ts";

type Layer = "http" | "tcp";

const made = new WeakMap<TranslateContext, Map<Layer, readonly EnvoyMessage[]>>();

/** Filters for the inbound side of a sidecar, or for a gateway. */
export function authorizationFilters(context: TranslateContext, layer: Layer): readonly EnvoyMessage[] {
  let known = made.get(context);
  if (known === undefined) {
    known = new Map();
    made.set(context, known);
  }
  let filters = known.get(layer);
  if (filters === undefined) {
    const { authorizationPolicies, mesh } = context.state;
    const policies = authorizationOf(authorizationPolicies, context.node, mesh.rootNamespace);
    filters = rbacFilters(policies, trustDomainsOf(mesh), layer);
    known.set(layer, filters);
  }
  return filters;
}

export function rbacFilters(
  policies: readonly AuthorizationConfig[],
  trustDomains: readonly string[],
  layer: Layer,
): readonly EnvoyMessage[] {
  const of = (action: string) => policies.filter(({ spec }) => (spec.action ?? "ALLOW") === action);
  const providers = [...new Set(of("CUSTOM").map(({ spec }) => spec.provider?.name ?? ""))].sort();
  return [
    ...providers.map((provider) => {
      const own = of("CUSTOM").filter(({ spec }) => (spec.provider?.name ?? "") === provider);
      const name = (text: string) => `istio-ext-authz-${provider}-${text}-deny-due-to-bad-CUSTOM-action`;
      return filter(layer, { rules: rules(own, "DENY", trustDomains, layer, name) });
    }),
    ...actionFilter(of("AUDIT"), "LOG", trustDomains, layer),
    ...actionFilter(of("DENY"), "DENY", trustDomains, layer),
    ...actionFilter(of("ALLOW"), "ALLOW", trustDomains, layer),
  ];
}

type Action = "ALLOW" | "DENY" | "LOG";

function actionFilter(
  policies: readonly AuthorizationConfig[],
  action: Action,
  trustDomains: readonly string[],
  layer: Layer,
): readonly EnvoyMessage[] {
  if (policies.length === 0) return [];
  const isDryRun = (policy: AuthorizationConfig) => policy.annotations["istio.io/dry-run"] === "true";
  const [enforced, shadow] = [policies.filter((policy) => !isDryRun(policy)), policies.filter(isDryRun)];
  const same = (text: string) => text;
  return [
    filter(layer, {
      rules: enforced.length === 0 ? undefined : rules(enforced, action, trustDomains, layer, same),
      shadow_rules: shadow.length === 0 ? undefined : rules(shadow, action, trustDomains, layer, same),
      shadow_rules_stat_prefix: action === "DENY" ? "istio_dry_run_deny_" : "istio_dry_run_allow_",
    }),
  ];
}

function rules(
  policies: readonly AuthorizationConfig[],
  action: Action,
  trustDomains: readonly string[],
  layer: Layer,
  nameOf: (text: string) => string,
): EnvoyMessage {
  const found: [string, EnvoyMessage][] = [];
  for (const { namespace, name, spec } of policies) {
    const at = (index: number) => nameOf(`ns[${namespace}]-policy[${name}]-rule[${index}]`);
    for (const [index, rule] of (spec.rules ?? []).entries()) {
      const options = { namespace, trustDomains, isTcp: layer === "tcp", isAllow: action === "ALLOW" };
      const policy = rbacPolicy(rule, options);
      if (policy !== undefined) found.push([at(index), policy]);
    }
    if ((spec.rules ?? []).length === 0) found.push([at(0), NEVER]);
  }
  return { action: action === "ALLOW" ? undefined : action, policies: Object.fromEntries(found) };
}

function filter(layer: Layer, config: EnvoyMessage): EnvoyMessage {
  const type = `type.googleapis.com/envoy.extensions.filters.${layer === "http" ? "http" : "network"}.rbac.v3.RBAC`;
  return {
    name: `envoy.filters.${layer === "http" ? "http" : "network"}.rbac`,
    typed_config: { "@type": type, ...config, ...(layer === "tcp" ? { stat_prefix: "tcp." } : {}) },
  };
}
