/** `http.<prefix>.jwt_authn.allowed` and `.denied`. */
import type { Counter, Registry } from "@argyle/telemetry";

export interface JwtStats {
  readonly allowed: Counter;
  readonly denied: Counter;
}

export function createJwtStats(registry: Registry, prefix: string): JwtStats {
  const counter = (stat: string) =>
    registry
      .counter({
        name: `envoy_http_jwt_authn_${stat}`,
        labels: ["envoy_http_conn_manager_prefix"],
        statName: ([value]) => `http.${value}.jwt_authn.${stat}`,
      })
      .cell(prefix);
  return { allowed: counter("allowed"), denied: counter("denied") };
}
