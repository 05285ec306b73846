/**
 * Role based access control, for HTTP requests and TCP connections alike: ALLOW lets in whom some policy matches, DENY whom none does, LOG all.
 * Shadow rules are judged the same and only counted.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/rbac_filter
 */
import type { Fields } from "../config/fields.ts";
import { compilePermission, compilePrincipal, type RbacFacts, type RbacPredicate } from "./rbac-matcher.ts";

export interface RbacConfig {
  readonly rules: RbacRules | undefined;
  readonly shadowRules: RbacRules | undefined;
  readonly rulesStatPrefix: string;
  readonly shadowStatPrefix: string;
}

export interface RbacRules {
  readonly action: "ALLOW" | "DENY" | "LOG";
  /** By name: the first that matches names the decision. */
  readonly policies: readonly { readonly name: string; readonly matches: RbacPredicate }[];
}

export interface RbacDecision {
  readonly isAllowed: boolean;
  /** The policy that matched, or "none". */
  readonly policy: string;
}

export function compileRbac(fields: Fields): RbacConfig {
  if (fields.has("matcher") || fields.has("shadow_matcher"))
    fields.problem("matcher", "unified matchers are not supported");
  const rules = fields.object("rules");
  const shadow = fields.object("shadow_rules");
  return {
    rules: rules === undefined ? undefined : compileRules(rules),
    shadowRules: shadow === undefined ? undefined : compileRules(shadow),
    rulesStatPrefix: fields.string("rules_stat_prefix"),
    shadowStatPrefix: fields.string("shadow_rules_stat_prefix"),
  };
}

function compileRules(fields: Fields): RbacRules {
  const policies = fields.map("policies").map(([name, policy]) => {
    for (const unsupported of ["condition", "checked_condition", "cel_config"])
      if (policy.has(unsupported)) policy.problem(unsupported, "conditions are not supported");
    const permissions = policy.list("permissions").map(compilePermission);
    const principals = policy.list("principals").map(compilePrincipal);
    if (permissions.length === 0) policy.problem("permissions", "value must contain at least 1 item(s)");
    if (principals.length === 0) policy.problem("principals", "value must contain at least 1 item(s)");
    const matches = (facts: RbacFacts) =>
      permissions.some((test) => test(facts)) && principals.some((test) => test(facts));
    return { name, matches };
  });
  return {
    action: fields.enumeration("action", ["ALLOW", "DENY", "LOG"], "ALLOW"),
    policies: policies.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

export function decideRbac(rules: RbacRules, facts: RbacFacts): RbacDecision {
  const found = rules.policies.find(({ matches }) => matches(facts));
  const policy = found?.name ?? "none";
  switch (rules.action) {
    case "ALLOW":
      return { isAllowed: found !== undefined, policy };
    case "DENY":
      return { isAllowed: found === undefined, policy };
    case "LOG":
      return { isAllowed: true, policy };
  }
}
