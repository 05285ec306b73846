/** typed_per_filter_config of routes, virtual hosts and weighted clusters, by filter name. Compiled with the route, never per request. */
import { type CorsConfig, compileCors } from "../filters/cors.ts";
import { compileFault, type FaultConfig } from "../filters/fault.ts";
import type { Fields } from "./fields.ts";

export type PerFilterConfig =
  | { readonly kind: "fault"; readonly config: FaultConfig }
  | { readonly kind: "cors"; readonly config: CorsConfig }
  | { readonly kind: "disabled" };

export type PerFilterConfigs = ReadonlyMap<string, PerFilterConfig>;

export function compilePerFilter(owner: Fields): PerFilterConfigs {
  const configs = new Map<string, PerFilterConfig>();
  for (const [name, any] of owner.map("typed_per_filter_config")) {
    const compiled = compileOne(any);
    if (compiled !== undefined) configs.set(name, compiled);
  }
  return configs;
}

function compileOne(any: Fields): PerFilterConfig | undefined {
  const type = any.typeName();
  switch (type) {
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return { kind: "fault", config: compileFault(any) };
    case "envoy.extensions.filters.http.cors.v3.CorsPolicy":
      return { kind: "cors", config: compileCors(any) };
    case "envoy.config.route.v3.FilterConfig": {
      if (any.boolean("disabled")) return { kind: "disabled" };
      const inner = any.object("config");
      return inner === undefined ? undefined : compileOne(inner);
    }
    default:
      // What a filter that is not in the chain would read has no effect, as in Envoy for optional filters.
      return undefined;
  }
}
