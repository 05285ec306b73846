/**
 * RequestAuthentications as the filter jwt_authn: a token of each issuer must be good if it is there, none need be there (an AuthorizationPolicy asks
 * for it). istiod fetches the keys, proxies get them inline; without keys no token is good.
 * Spec: istio.io reference, RequestAuthentication.
 */
import type { JwtRule } from "@argyle/kube-types";
import type { EnvoyMessage } from "../../model/json.ts";
import { jwtRulesOf } from "../../model/request-authentication.ts";
import type { TranslateContext } from "../context.ts";

const NO_KEYS = '{"keys":[]}';

export function jwtFilters(context: TranslateContext): readonly EnvoyMessage[] {
  const { requestAuthentications, mesh, jwks } = context.state;
  const rules = jwtRulesOf(requestAuthentications, context.node, mesh.rootNamespace);
  if (rules.length === 0) return [];
  const names = rules.map((_, index) => `origins-${index}`);
  const requirements = names.map((name) => ({
    requires_any: { requirements: [{ provider_name: name }, { allow_missing: {} }] },
  }));
  const [only] = requirements;
  return [
    {
      name: "envoy.filters.http.jwt_authn",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers: Object.fromEntries(
          rules.map((rule, index) => [
            names[index] ?? "",
            // A gateway may choose routes by claims (@request.auth.claims).
            provider(rule, jwks, context.node.type === "router"),
          ]),
        ),
        rules: [
          {
            match: { prefix: "/" },
            requires: requirements.length === 1 ? only : { requires_all: { requirements } },
          },
        ],
        bypass_cors_preflight: true,
      },
    },
  ];
}

function provider(rule: JwtRule, fetched: ReadonlyMap<string, string>, clearsRoute: boolean): EnvoyMessage {
  const inline = rule.jwks ?? "";
  const keys = inline !== "" ? inline : (fetched.get(rule.jwksUri ?? "") ?? NO_KEYS);
  return {
    issuer: rule.issuer,
    audiences: list(rule.audiences),
    local_jwks: { inline_string: keys },
    forward: rule.forwardOriginalToken === true ? true : undefined,
    forward_payload_header: rule.outputPayloadToHeader,
    payload_in_metadata: "payload",
    normalize_payload_in_metadata: {
      space_delimited_claims: [...new Set(["scope", "permission", ...(rule.spaceDelimitedClaims ?? [])])],
    },
    from_headers: list((rule.fromHeaders ?? []).map(({ name, prefix }) => ({ name, value_prefix: prefix }))),
    from_params: list(rule.fromParams),
    from_cookies: list(rule.fromCookies),
    claim_to_headers: list(
      (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({ header_name: header, claim_name: claim })),
    ),
    clear_route_cache: clearsRoute ? true : undefined,
  };
}

function list<T>(values: readonly T[] | undefined): readonly T[] | undefined {
  return values === undefined || values.length === 0 ? undefined : values;
}
