/** The HTTP filters that are known, by the type of their configuration. A filter that is not known rejects the listener, as in Envoy. */
import { type CorsConfig, compileCors } from "../filters/cors.ts";
import { compileFault, type FaultConfig } from "../filters/fault.ts";
import { compileJwtAuthn, type JwtAuthnConfig } from "../filters/jwt/jwt-authn.ts";
import { compileRbac, type RbacConfig } from "../filters/rbac.ts";
import type { Fields } from "./fields.ts";

export type HttpFilterConfig =
  | { readonly kind: "router"; readonly name: string; readonly suppressEnvoyHeaders: boolean }
  | { readonly kind: "fault"; readonly name: string; readonly config: FaultConfig }
  | { readonly kind: "cors"; readonly name: string; readonly config: CorsConfig }
  | { readonly kind: "jwt"; readonly name: string; readonly config: JwtAuthnConfig }
  | { readonly kind: "rbac"; readonly name: string; readonly config: RbacConfig }
  | { readonly kind: "istio-stats"; readonly name: string; readonly usesHostHeader: boolean }
  | { readonly kind: "alpn"; readonly name: string; readonly offers: AlpnOffers }
  | { readonly kind: "peer-metadata"; readonly name: string; readonly config: PeerMetadataConfig }
  | { readonly kind: "none"; readonly name: string };

/** istio.alpn: what is offered to an upstream that is spoken to in each protocol, comma-separated. */
export interface AlpnOffers {
  readonly http1: string | undefined;
  readonly http2: string | undefined;
}

/** io.istio.http.peer_metadata.Config: whether metadata headers are read and written on each side. */
export interface PeerMetadataConfig {
  readonly discoversDownstream: boolean;
  readonly discoversUpstream: boolean;
  readonly propagatesDownstream: boolean;
  readonly propagatesUpstream: boolean;
}

export function compileHttpFilter(fields: Fields): HttpFilterConfig {
  const name = fields.required("name");
  const any = fields.object("typed_config");
  if (any === undefined) {
    if (fields.has("config_discovery")) fields.problem("config_discovery", "ECDS is not supported");
    else if (!fields.boolean("disabled")) fields.problem("typed_config", "value is required");
    return { kind: "none", name };
  }
  // Istio's extensions may come wrapped in a TypedStruct.
  const wrapped = any.typeName().endsWith("TypedStruct");
  const type = wrapped ? lastPart(any.string("type_url")) : any.typeName();
  const config = wrapped ? (any.object("value") ?? any) : any;
  switch (type) {
    case "envoy.extensions.filters.http.router.v3.Router":
      return { kind: "router", name, suppressEnvoyHeaders: config.boolean("suppress_envoy_headers") };
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return { kind: "fault", name, config: compileFault(config) };
    case "envoy.extensions.filters.http.cors.v3.Cors":
      return { kind: "cors", name, config: compileCors(config) };
    case "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication":
      return { kind: "jwt", name, config: compileJwtAuthn(config) };
    case "envoy.extensions.filters.http.rbac.v3.RBAC":
      return { kind: "rbac", name, config: compileRbac(config) };
    case "stats.PluginConfig":
      return { kind: "istio-stats", name, usesHostHeader: !config.boolean("disable_host_header_fallback") };
    case "io.istio.http.peer_metadata.Config":
      return {
        kind: "peer-metadata",
        name,
        config: {
          discoversDownstream: config.list("downstream_discovery").length > 0,
          discoversUpstream: config.list("upstream_discovery").length > 0,
          propagatesDownstream: config.list("downstream_propagation").length > 0,
          propagatesUpstream: config.list("upstream_propagation").length > 0,
        },
      };
    case "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig":
      return { kind: "alpn", name, offers: compileAlpn(config) };
    // gRPC messages are counted wherever istio.stats reports them.
    case "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig":
      return { kind: "none", name };
    default:
      if (fields.boolean("is_optional")) return { kind: "none", name };
      fields.problem("typed_config", `Didn't find a registered implementation for '${name}' with type URL: '${type}'`);
      return { kind: "none", name };
  }
}

const UPSTREAM_PROTOCOLS = ["HTTP10", "HTTP11", "HTTP2"] as const;

function compileAlpn(fields: Fields): AlpnOffers {
  const overrides = fields.list("alpn_override").map((item) => ({
    protocol: item.enumeration("upstream_protocol", UPSTREAM_PROTOCOLS, "HTTP10"),
    offer: item.strings("alpn_override").join(","),
  }));
  const offerOf = (wanted: string) =>
    overrides.find(({ protocol, offer }) => protocol === wanted && offer !== "")?.offer;
  return { http1: offerOf("HTTP11"), http2: offerOf("HTTP2") };
}

function lastPart(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}
