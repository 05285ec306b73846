/** RBAC of a filter chain, for a whole connection: judged when it is there, before anything is sent either way. */
import type { Registry } from "@argyle/telemetry";
import type { FilterChainConfig } from "./config/listener-config.ts";
import { decideRbac } from "./filters/rbac.ts";
import { rbacFacts } from "./filters/rbac-facts.ts";
import type { StreamState } from "./http/stream-state.ts";
import { createRbacStats } from "./stats/rbac-stats.ts";

/** The policy that refuses the connection; undefined when it may go on. */
export function refusingPolicy(chain: FilterChainConfig, state: StreamState, registry: Registry): string | undefined {
  if (chain.rbac.length === 0) return undefined;
  const facts = rbacFacts(state, "tcp");
  for (const { rules, shadowRules, statPrefix, rulesStatPrefix, shadowStatPrefix } of chain.rbac) {
    const names = { scope: "tcp", prefix: statPrefix, rules: rulesStatPrefix, shadow: shadowStatPrefix } as const;
    const stats = createRbacStats(registry, names);
    if (shadowRules !== undefined) {
      const shadow = decideRbac(shadowRules, facts);
      (shadow.isAllowed ? stats.shadowAllowed : stats.shadowDenied).add(1);
    }
    if (rules === undefined) continue;
    const decision = decideRbac(rules, facts);
    (decision.isAllowed ? stats.allowed : stats.denied).add(1);
    if (!decision.isAllowed) return decision.policy;
  }
  return undefined;
}
