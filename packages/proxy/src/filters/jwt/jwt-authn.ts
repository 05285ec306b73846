/**
 * The filter jwt_authn: the first rule that matches a request says which tokens it needs. Decided at once: keys are in the configuration.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_filters/jwt_authn_filter
 */
import type { Fields } from "../../config/fields.ts";
import type { RequestView } from "../../config/header-matcher.ts";
import { compileRouteMatch, type RouteMatch } from "../../config/route-match.ts";
import { type FoundToken, findTokens } from "./find-token.ts";
import { compileProvider, type JwtProvider, verifyToken } from "./provider.ts";
import { JWT_STATUS, type JwtStatus } from "./status.ts";
import { parseToken, type Token } from "./token.ts";

export interface JwtAuthnConfig {
  readonly providers: readonly JwtProvider[];
  readonly rules: readonly { readonly match: RouteMatch; readonly requirement: Requirement | undefined }[];
  readonly bypassesPreflight: boolean;
}

type Requirement =
  | {
      readonly kind: "provider";
      readonly provider: JwtProvider;
      readonly audiences: readonly string[];
      /** Every token must be good; else the first good one is enough. */
      readonly needsAll: boolean;
    }
  | { readonly kind: "any" | "all"; readonly list: readonly Requirement[] }
  | { readonly kind: "allow-missing" | "allow-missing-or-failed" };

/** A token that was found good, and where it came from. */
export interface AcceptedToken {
  readonly token: Token;
  readonly provider: JwtProvider;
  readonly found: FoundToken;
}

export interface JwtDecision {
  readonly status: JwtStatus;
  readonly accepted: readonly AcceptedToken[];
}

export function compileJwtAuthn(fields: Fields): JwtAuthnConfig {
  const providers = fields.map("providers").map(([name, provider]) => compileProvider(name, provider));
  for (const unsupported of ["filter_state_rules", "requirement_map"])
    if (fields.has(unsupported)) fields.problem(unsupported, "is not supported");
  return {
    providers,
    rules: fields.list("rules").map((rule) => {
      const match = rule.object("match");
      if (match === undefined) rule.problem("match", "value is required");
      if (rule.has("requirement_name")) rule.problem("requirement_name", "is not supported");
      const requires = rule.object("requires");
      return {
        match: compileRouteMatch(match ?? rule),
        requirement: requires === undefined ? undefined : compileRequirement(requires, providers),
      };
    }),
    bypassesPreflight: fields.boolean("bypass_cors_preflight"),
  };
}

function compileRequirement(fields: Fields, providers: readonly JwtProvider[]): Requirement {
  const named = fields.object("provider_and_audiences");
  const name = named?.string("provider_name") ?? fields.string("provider_name");
  if (name !== "") {
    const provider = providers.find((candidate) => candidate.name === name);
    if (provider !== undefined)
      return {
        kind: "provider",
        provider,
        audiences: named?.strings("audiences") ?? provider.audiences,
        needsAll: false,
      };
    fields.problem("provider_name", `unknown provider ${name}`);
  }
  for (const kind of ["any", "all"] as const) {
    const list = fields.object(`requires_${kind}`)?.list("requirements");
    if (list !== undefined)
      return {
        kind,
        list: strict(
          kind,
          list.map((item) => compileRequirement(item, providers)),
        ),
      };
  }
  if (fields.has("allow_missing")) return { kind: "allow-missing" };
  if (fields.has("allow_missing_or_failed")) return { kind: "allow-missing-or-failed" };
  if (name === "") fields.problem("", "a requirement is required");
  return { kind: "all", list: [] };
}

/** Where no token is fine as well, a bad one beside a good one is not. */
function strict(kind: "any" | "all", list: readonly Requirement[]): readonly Requirement[] {
  const allowsMissing = kind === "any" && list.some((one) => one.kind === "allow-missing");
  return allowsMissing ? list.map((one) => (one.kind === "provider" ? { ...one, needsAll: true } : one)) : list;
}

export function decideJwt(config: JwtAuthnConfig, request: RequestView, nowSeconds: number): JwtDecision {
  const isPreflight =
    config.bypassesPreflight &&
    request.method === "OPTIONS" &&
    request.headers.has("origin") &&
    request.headers.has("access-control-request-method");
  const mark = request.path.search(/[?#]/);
  const pathname = mark === -1 ? request.path : request.path.slice(0, mark);
  const rule = isPreflight ? undefined : config.rules.find(({ match }) => match.matches(request, pathname, 0));
  if (rule?.requirement === undefined) return { status: JWT_STATUS.ok, accepted: [] };
  return decide(rule.requirement, config, request, nowSeconds);
}

function decide(
  requirement: Requirement,
  config: JwtAuthnConfig,
  request: RequestView,
  nowSeconds: number,
): JwtDecision {
  switch (requirement.kind) {
    case "provider":
      return ofProvider(requirement, request, nowSeconds);
    case "all": {
      const accepted: AcceptedToken[] = [];
      for (const one of requirement.list) {
        const decision = decide(one, config, request, nowSeconds);
        if (decision.status !== JWT_STATUS.ok) return decision;
        // Several requirements may be met by one token: what it leaves behind is left once.
        accepted.push(
          ...decision.accepted.filter((one) => !accepted.some(({ found }) => found.text === one.found.text)),
        );
      }
      return { status: JWT_STATUS.ok, accepted };
    }
    case "any": {
      let worst: JwtStatus = JWT_STATUS.missing;
      for (const one of requirement.list) {
        const decision = decide(one, config, request, nowSeconds);
        if (decision.status === JWT_STATUS.ok) return decision;
        const saysLittle = decision.status === JWT_STATUS.missing || decision.status === JWT_STATUS.unknownIssuer;
        if (!saysLittle || worst === JWT_STATUS.missing) worst = decision.status;
      }
      return { status: worst, accepted: [] };
    }
    case "allow-missing":
      return ofAll(config, request, nowSeconds);
    case "allow-missing-or-failed":
      return { status: JWT_STATUS.ok, accepted: ofAll(config, request, nowSeconds).accepted };
  }
}

function ofProvider(
  { provider, audiences, needsAll }: Extract<Requirement, { readonly kind: "provider" }>,
  request: RequestView,
  nowSeconds: number,
): JwtDecision {
  let status: JwtStatus = JWT_STATUS.missing;
  let accepted: readonly AcceptedToken[] = [];
  for (const found of findTokens(request, provider.locations)) {
    const token = parseToken(found.text);
    status = typeof token === "string" ? token : verifyToken(token, provider, audiences, nowSeconds);
    const isGood = status === JWT_STATUS.ok && typeof token !== "string";
    if (isGood) accepted = [...accepted, { token, provider, found }];
    if (isGood !== needsAll) break;
  }
  return { status, accepted: status === JWT_STATUS.ok ? accepted : [] };
}

/** No token is fine; each that is there must be good for the provider of its issuer. */
function ofAll(config: JwtAuthnConfig, request: RequestView, nowSeconds: number): JwtDecision {
  const accepted: AcceptedToken[] = [];
  const seen = new Set<string>();
  for (const found of findTokens(
    request,
    config.providers.flatMap(({ locations }) => locations),
  )) {
    if (seen.has(found.text)) continue;
    seen.add(found.text);
    const token = parseToken(found.text);
    if (typeof token === "string") return { status: token, accepted: [] };
    const provider = config.providers.find(({ issuer }) => issuer === "" || issuer === token.issuer);
    if (provider === undefined) return { status: JWT_STATUS.unknownIssuer, accepted: [] };
    const status = verifyToken(token, provider, provider.audiences, nowSeconds);
    if (status !== JWT_STATUS.ok) return { status, accepted: [] };
    accepted.push({ token, provider, found });
  }
  return { status: JWT_STATUS.ok, accepted };
}
