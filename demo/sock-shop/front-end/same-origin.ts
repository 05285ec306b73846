/**
 * Whether a request that changes something comes from the shop's own pages (cross-site request forgery, OWASP "Fetch Metadata" and "Verifying origin").
 * Programs that are no browsers send neither header and are let through: they have no cookies of somebody else.
 */
import { HttpError, type Request, type Route } from "@sock-shop/kit";

export function isSameOrigin(headers: Request["headers"]): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin } = headers;
  if (origin === undefined || hostOf(origin) === headers.host) return true;
  // A gateway may have changed Host. JSON from another origin needs a preflight, which this shop never grants.
  return /^application\/json\b/i.test(headers["content-type"] ?? "");
}

/** The route, answering 403 to what another site has sent. */
export function fromSameOrigin(route: Route): Route {
  return {
    ...route,
    handle(request) {
      if (!isSameOrigin(request.headers)) throw new HttpError(403, "this request comes from another site");
      return route.handle(request);
    },
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
