/** jwt_authn of an HTTP connection manager, on one request without a socket: refused, or as what comes behind the filter sees it. */
import { Fields } from "../../packages/proxy/src/config/fields.ts";
import { compileHcm } from "../../packages/proxy/src/config/hcm-config.ts";
import type { RequestView } from "../../packages/proxy/src/config/header-matcher.ts";
import { removeToken } from "../../packages/proxy/src/filters/jwt/find-token.ts";
import { decideJwt } from "../../packages/proxy/src/filters/jwt/jwt-authn.ts";
import { metadataOf, sanitizeHeaders, setHeaders } from "../../packages/proxy/src/filters/jwt/provider.ts";
import { JWT_STATUS } from "../../packages/proxy/src/filters/jwt/status.ts";
import { jwtDenied } from "../../packages/proxy/src/local-reply.ts";

export type Authenticated =
  | { readonly kind: "refused"; readonly status: number; readonly body: string }
  | { readonly kind: "request"; readonly request: RequestView };

export function authenticate(manager: object, given: RequestView): Authenticated {
  const hcm = compileHcm(new Fields(manager, "", { problems: [] }));
  const headers = given.headers.clone();
  const metadata: Record<string, unknown> = {};
  for (const filter of hcm.filters) {
    if (filter.kind !== "jwt") continue;
    sanitizeHeaders(headers, filter.config.providers);
    const { status, accepted } = decideJwt(filter.config, { ...given, headers }, Math.floor(Date.now() / 1000));
    if (status !== JWT_STATUS.ok) return { kind: "refused", status: jwtDenied(status, "").status, body: status };
    for (const { token, provider, found } of accepted) {
      setHeaders(headers, token, provider);
      if (!provider.forwards) removeToken(headers, found);
      metadata[provider.payloadInMetadata] = metadataOf(token, provider);
    }
  }
  const dynamicMetadata = (name: string) => (name === "envoy.filters.http.jwt_authn" ? metadata : undefined);
  return { kind: "request", request: { ...given, headers, dynamicMetadata } };
}
