/** jwt_authn within a request: a good token leaves headers and metadata behind, a bad or missing one ends the request. */
import type { HttpFilterConfig } from "../config/http-filter-config.ts";
import { removeToken } from "../filters/jwt/find-token.ts";
import { decideJwt } from "../filters/jwt/jwt-authn.ts";
import { metadataOf, sanitizeHeaders, setHeaders } from "../filters/jwt/provider.ts";
import { JWT_STATUS } from "../filters/jwt/status.ts";
import { jwtDenied } from "../local-reply.ts";
import { resolveRoute } from "./route-decision.ts";
import type { HttpStream } from "./stream.ts";

const METADATA = "envoy.filters.http.jwt_authn";

/** True when the request was refused. */
export function applyJwt(stream: HttpStream, filter: Extract<HttpFilterConfig, { readonly kind: "jwt" }>): boolean {
  const { state, context } = stream;
  const { config } = filter;
  sanitizeHeaders(state.headers, config.providers);
  const { status, accepted } = decideJwt(config, state, Math.floor(context.clock.now() / 1000));
  const stats = context.jwt.get(filter);
  if (status !== JWT_STATUS.ok) {
    stats?.denied.add(1);
    const { scheme, authority, path } = state;
    stream.sendLocalReply(jwtDenied(status, `${scheme}://${authority}${path.replace(/[?#].*/, "")}`));
    return true;
  }
  stats?.allowed.add(1);
  let clearsRoute = false;
  for (const { token, provider, found } of accepted) {
    setHeaders(state.headers, token, provider);
    if (!provider.forwards) removeToken(state.headers, found);
    if (provider.payloadInMetadata !== "")
      state.setMetadata(METADATA, { [provider.payloadInMetadata]: metadataOf(token, provider) });
    clearsRoute ||= provider.clearsRoute;
  }
  if (clearsRoute) resolveRoute(stream);
  return false;
}
