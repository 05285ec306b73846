/**
 * CORS: answers preflight requests of allowed origins and adds the response headers of simple ones. The policy comes from the route's or
 * virtual host's typed_per_filter_config (CorsPolicy).
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/cors_filter
 */
import type { HeaderBlock } from "@argyle/codec";
import type { Fields } from "../config/fields.ts";
import { compileStringMatcher, type TextPredicate } from "../config/string-matcher.ts";

export interface CorsConfig {
  readonly origins: readonly TextPredicate[];
  readonly methods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowsCredentials: boolean;
  readonly forwardsUnmatched: boolean;
}

export function compileCors(fields: Fields): CorsConfig {
  return {
    origins: fields.list("allow_origin_string_match").map(compileStringMatcher),
    methods: fields.string("allow_methods"),
    allowHeaders: fields.string("allow_headers"),
    exposeHeaders: fields.string("expose_headers"),
    maxAge: fields.string("max_age"),
    allowsCredentials: fields.boolean("allow_credentials"),
    forwardsUnmatched: fields.boolean("forward_not_matching_preflights", true),
  };
}

export function isAllowedOrigin(config: CorsConfig, origin: string): boolean {
  return config.origins.some((test) => test(origin));
}

/** Headers of the answer to an allowed preflight request. */
export function preflightHeaders(config: CorsConfig, origin: string): readonly (readonly [string, string])[] {
  const headers: [string, string][] = [["access-control-allow-origin", origin]];
  if (config.allowsCredentials) headers.push(["access-control-allow-credentials", "true"]);
  if (config.methods !== "") headers.push(["access-control-allow-methods", config.methods]);
  if (config.allowHeaders !== "") headers.push(["access-control-allow-headers", config.allowHeaders]);
  if (config.exposeHeaders !== "") headers.push(["access-control-expose-headers", config.exposeHeaders]);
  if (config.maxAge !== "") headers.push(["access-control-max-age", config.maxAge]);
  return headers;
}

export function addCorsHeaders(config: CorsConfig, origin: string, headers: HeaderBlock): void {
  headers.set("access-control-allow-origin", origin);
  if (config.allowsCredentials) headers.set("access-control-allow-credentials", "true");
  if (config.exposeHeaders !== "") headers.set("access-control-expose-headers", config.exposeHeaders);
}
