/** `http.<prefix>.rbac.<rules prefix>allowed` and its three companions, of one RBAC filter. */
import type { Counter, Registry } from "@argyle/telemetry";

export interface RbacStats {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;
}

export interface RbacStatNames {
  /** `http.<stat_prefix>.` or what a network filter's stat_prefix says. */
  readonly scope: "http" | "tcp";
  readonly prefix: string;
  readonly rules: string;
  readonly shadow: string;
}

export function createRbacStats(registry: Registry, names: RbacStatNames): RbacStats {
  const counter = (own: string, stat: string) => {
    const path = `rbac.${own}${stat}`;
    return names.scope === "http"
      ? registry
          .counter({
            name: `envoy_http_${path.replaceAll(".", "_")}`,
            labels: ["envoy_http_conn_manager_prefix"],
            statName: ([value]) => `http.${value}.${path}`,
          })
          .cell(names.prefix)
      : registry
          .counter({
            name: `envoy_${`${names.prefix}${path}`.replaceAll(".", "_")}`,
            statName: () => `${names.prefix}${path}`,
          })
          .cell();
  };
  return {
    allowed: counter(names.rules, "allowed"),
    denied: counter(names.rules, "denied"),
    shadowAllowed: counter(names.shadow, "shadow_allowed"),
    shadowDenied: counter(names.shadow, "shadow_denied"),
  };
}
