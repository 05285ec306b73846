/**
 * HTTPRedirect to RedirectAction. Envoy cannot take the port of the request, but routes are made for one port: FROM_REQUEST_PORT is that one,
 * unwritten where the scheme implies it. FROM_PROTOCOL_DEFAULT is what Envoy does by itself.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-redirectaction
 */
import type { HttpMatchRequest, HttpRedirect } from "@argyle/kube-types";
import type { EnvoyMessage } from "../model/json.ts";

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
const PREFIX = "%PREFIX()%";

/** `at`: the listener's port, and whether requests come to it over TLS. */
export function redirectAction(
  redirect: HttpRedirect,
  match: HttpMatchRequest | undefined,
  at: { readonly port: number; readonly isTls: boolean },
): EnvoyMessage {
  return {
    host_redirect: redirect.authority,
    ...pathOf(redirect, match),
    scheme_redirect: redirect.scheme,
    port_redirect: redirect.port ?? derivedPort(redirect, at),
    response_code: REDIRECT_CODES[redirect.redirectCode ?? 301],
  };
}

function pathOf(redirect: HttpRedirect, match: HttpMatchRequest | undefined): EnvoyMessage {
  if (redirect.prefixRewrite !== undefined) return { prefix_rewrite: redirect.prefixRewrite };
  const { uri } = redirect;
  if (uri?.startsWith(PREFIX) !== true) return { path_redirect: uri };
  return { prefix_rewrite: match?.uri?.prefix === undefined ? undefined : uri.slice(PREFIX.length) };
}

function derivedPort(
  redirect: HttpRedirect,
  at: { readonly port: number; readonly isTls: boolean },
): number | undefined {
  if (redirect.derivePort !== "FROM_REQUEST_PORT") return undefined;
  const scheme = redirect.scheme ?? (at.isTls ? "https" : "http");
  return DEFAULT_PORTS[scheme] === at.port ? undefined : at.port;
}

/** 301 is the default of the message and stays unwritten. */
const REDIRECT_CODES: Readonly<Record<number, string>> = {
  302: "FOUND",
  303: "SEE_OTHER",
  307: "TEMPORARY_REDIRECT",
  308: "PERMANENT_REDIRECT",
};
