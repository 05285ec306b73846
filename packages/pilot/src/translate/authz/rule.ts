/**
 * One rule of an AuthorizationPolicy as a policy of Envoy's RBAC filter: `to` and what is known of the destination become permissions, `from`
 * and the rest of `when` principals. On TCP nothing is known of HTTP: an ALLOW rule that asks for it lets nobody in, a DENY (or AUDIT) rule goes
 * by what remains of it, so that neither ever lets more through.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto
 */
import type { AuthorizationCondition, AuthorizationRule } from "@argyle/kube-types";
import type { EnvoyMessage } from "../../model/json.ts";
import { withTrustDomainAliases } from "../../model/trust-domain.ts";
import {
  cidr,
  claimValues,
  headerMatcher,
  metadataValues,
  namespaceMatcher,
  pathPermission,
  principalMatcher,
  requestPrincipal,
  serviceAccountMatcher,
  textMatcher,
  trustDomainMatcher,
} from "./matchers.ts";

export interface RuleOptions {
  readonly namespace: string;
  readonly trustDomains: readonly string[];
  readonly isTcp: boolean;
  /** ALLOW: a rule that cannot be said whole is left out. */
  readonly isAllow: boolean;
}

interface Condition {
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  readonly isHttp: boolean;
  /** One matcher a value, or one for all of them. */
  readonly each: ((value: string) => EnvoyMessage) | undefined;
  readonly all: ((values: readonly string[]) => EnvoyMessage) | undefined;
}

/** Undefined: nothing of the rule can be said here. */
export function rbacPolicy(rule: AuthorizationRule, options: RuleOptions): EnvoyMessage | undefined {
  const conditions = (rule.when ?? []).map((condition) => classify(condition, options));
  const destination = conditions.flatMap((c) => (c?.side === "permission" ? [c.condition] : []));
  const source = conditions.flatMap((c) => (c?.side === "principal" ? [c.condition] : []));
  if (conditions.includes(undefined) && options.isAllow) return undefined;
  const permissions = toLists(rule).flatMap((list) => combine([...list, ...destination], options, PERMISSION));
  const principals = fromLists(rule, options).flatMap((list) => combine([...list, ...source], options, PRINCIPAL));
  return permissions.length === 0 || principals.length === 0 ? undefined : { permissions, principals };
}

/** Matches nobody: what an ALLOW policy without rules means. */
export const NEVER: EnvoyMessage = {
  permissions: [{ not_rule: { any: true } }],
  principals: [{ not_id: { any: true } }],
};

interface Words {
  readonly and: (list: readonly EnvoyMessage[]) => EnvoyMessage;
  readonly or: (list: readonly EnvoyMessage[]) => EnvoyMessage;
  readonly not: (one: EnvoyMessage) => EnvoyMessage;
}

const PERMISSION: Words = {
  and: (rules) => ({ and_rules: { rules } }),
  or: (rules) => ({ or_rules: { rules } }),
  not: (not_rule) => ({ not_rule }),
};
const PRINCIPAL: Words = {
  and: (ids) => ({ and_ids: { ids } }),
  or: (ids) => ({ or_ids: { ids } }),
  not: (not_id) => ({ not_id }),
};

function combine(list: readonly Condition[], { isTcp, isAllow }: RuleOptions, words: Words): readonly EnvoyMessage[] {
  const parts: EnvoyMessage[] = [];
  for (const condition of list) {
    if (condition.values.length + condition.notValues.length === 0) continue;
    if (isTcp && condition.isHttp) {
      if (isAllow) return [];
      continue;
    }
    const said = (values: readonly string[]) =>
      condition.all === undefined ? words.or(values.map(condition.each ?? textMatcher)) : condition.all(values);
    if (condition.values.length > 0) parts.push(said(condition.values));
    if (condition.notValues.length > 0) parts.push(words.not(said(condition.notValues)));
  }
  return [words.and(parts.length === 0 ? [{ any: true }] : parts)];
}

function toLists(rule: AuthorizationRule): readonly (readonly Condition[])[] {
  if ((rule.to ?? []).length === 0) return [[]];
  return (rule.to ?? []).map(({ operation = {} }) => [
    each(operation.hosts, operation.notHosts, true, (value) => ({ header: headerMatcher(":authority", value, true) })),
    each(operation.methods, operation.notMethods, true, (value) => ({ header: headerMatcher(":method", value) })),
    each(operation.paths, operation.notPaths, true, pathPermission),
    each(operation.ports, operation.notPorts, false, (value) => ({ destination_port: Number(value) })),
  ]);
}

function fromLists(rule: AuthorizationRule, options: RuleOptions): readonly (readonly Condition[])[] {
  if ((rule.from ?? []).length === 0) return [[]];
  return (rule.from ?? []).map(({ source = {} }) => [
    each(source.serviceAccounts, source.notServiceAccounts, false, (value) =>
      authenticated(serviceAccountMatcher(value, options.namespace)),
    ),
    principals(source.principals, source.notPrincipals, options),
    each(source.trustDomains, source.notTrustDomains, false, (value) => authenticated(trustDomainMatcher(value))),
    each(source.requestPrincipals, source.notRequestPrincipals, true, requestPrincipal),
    each(source.namespaces, source.notNamespaces, false, (value) => authenticated(namespaceMatcher(value))),
    each(source.remoteIpBlocks, source.notRemoteIpBlocks, false, (value) => ({ remote_ip: cidr(value) })),
    each(source.ipBlocks, source.notIpBlocks, false, (value) => ({ direct_remote_ip: cidr(value) })),
  ]);
}

interface Classified {
  readonly side: "permission" | "principal";
  readonly condition: Condition;
}

/** Undefined: a key that is not known (the validation of policies refuses it). */
function classify({ key, values, notValues }: AuthorizationCondition, options: RuleOptions): Classified | undefined {
  const principal = (condition: Condition): Classified => ({ side: "principal", condition });
  const permission = (condition: Condition): Classified => ({ side: "permission", condition });
  const whole = (isHttp: boolean, make: (values: readonly string[]) => EnvoyMessage): Condition => ({
    values: values ?? [],
    notValues: notValues ?? [],
    isHttp,
    each: undefined,
    all: make,
  });
  const claims = (path: readonly string[]) => principal(whole(true, (list) => ({ metadata: claimValues(path, list) })));
  switch (key) {
    case "source.ip":
      return principal(each(values, notValues, false, (value) => ({ direct_remote_ip: cidr(value) })));
    case "remote.ip":
      return principal(each(values, notValues, false, (value) => ({ remote_ip: cidr(value) })));
    case "source.namespace":
      return principal(each(values, notValues, false, (value) => authenticated(namespaceMatcher(value))));
    case "source.principal":
      return principal(principals(values, notValues, options));
    case "source.serviceAccount":
      return principal(
        each(values, notValues, false, (value) => authenticated(serviceAccountMatcher(value, options.namespace))),
      );
    case "source.trustDomain":
      return principal(each(values, notValues, false, (value) => authenticated(trustDomainMatcher(value))));
    case "request.auth.principal":
      return principal(each(values, notValues, true, requestPrincipal));
    case "request.auth.audiences":
      return claims(["aud"]);
    case "request.auth.presenter":
      return claims(["azp"]);
    case "destination.ip":
      return permission(each(values, notValues, false, (value) => ({ destination_ip: cidr(value) })));
    case "destination.port":
      return permission(each(values, notValues, false, (value) => ({ destination_port: Number(value) })));
    case "connection.sni":
      return permission(each(values, notValues, false, (value) => ({ requested_server_name: textMatcher(value) })));
  }
  const bracket = /^([^[]+)((?:\[[^\]]+\])+)$/.exec(key);
  const names = [...(bracket?.[2] ?? "").matchAll(/\[([^\]]+)\]/g)].map((match) => match[1] ?? "");
  const [first = ""] = names;
  if (bracket?.[1] === "request.headers")
    return principal(each(values, notValues, true, (value) => ({ header: headerMatcher(first, value) })));
  if (bracket?.[1] === "request.auth.claims") return claims(names);
  const filter = /^experimental\.(envoy\.filters\..+)$/.exec(bracket?.[1] ?? "")?.[1];
  if (filter === undefined) return undefined;
  return permission(whole(false, (list) => ({ metadata: metadataValues(filter, first, list) })));
}

function principals(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  { trustDomains }: RuleOptions,
): Condition {
  const migrated = (list: readonly string[] | undefined) => withTrustDomainAliases(list ?? [], trustDomains);
  return each(migrated(values), migrated(notValues), false, (value) => authenticated(principalMatcher(value)));
}

function authenticated(principal_name: EnvoyMessage): EnvoyMessage {
  return { authenticated: { principal_name } };
}

function each(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  isHttp: boolean,
  make: (value: string) => EnvoyMessage,
): Condition {
  return { values: values ?? [], notValues: notValues ?? [], isHttp, each: make, all: undefined };
}
