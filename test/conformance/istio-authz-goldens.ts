/**
 * Istio's goldens of AuthorizationPolicies: manifests in, RBAC filters out, HTTP or TCP, under a trust domain and its aliases. Compared as JSON
 * with Envoy's lowerCamelCase names. `wantExtended` is another form of the same, behind a flag of Istio that is off.
 */
import type { AuthorizationPolicySpec } from "@argyle/kube-types";
import { parseObjects } from "@argyle/pilot";
import { parse } from "yaml";
import type { AuthorizationConfig } from "../../packages/pilot/src/model/authorization.ts";
import { byAge, decodeConfig } from "../../packages/pilot/src/model/config.ts";
import { rbacFilters } from "../../packages/pilot/src/translate/authz/authorization.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface Golden {
  readonly name: string;
  readonly kind: "http" | "tcp";
  readonly input: string;
  readonly want: readonly string[];
  readonly trustDomainBundle?: { readonly trustDomain: string; readonly aliases?: readonly string[] };
}

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const one of dir.json("cases.json") as readonly Golden[]) yield await judge(one.name, () => verdictOf(dir, one));
}

function verdictOf(dir: PeerFolder, { kind, input, want, trustDomainBundle }: Golden): Verdict {
  const missingFile = [input, ...want].find((name) => !dir.has(name));
  if (missingFile !== undefined) return { missing: `the data: it holds no ${missingFile}` };
  const wanted = want.map((name) => parse(dir.text(name)) as { readonly name: string });
  if (wanted.some(({ name }) => name.endsWith(".ext_authz")))
    return { missing: "CUSTOM policies: the filter ext_authz" };
  const policies = parseObjects(dir.text(input))
    .map((object) => decodeConfig<AuthorizationPolicySpec>(object) as AuthorizationConfig)
    .sort(byAge);
  const domains = [trustDomainBundle?.trustDomain ?? "cluster.local", ...(trustDomainBundle?.aliases ?? [])];
  const got = JSON.parse(JSON.stringify(rbacFilters(policies, domains, kind))) as readonly unknown[];
  return [
    ...difference("filters", got.length, wanted.length),
    ...wanted.flatMap((filter, index) => difference(want[index] ?? "", camelCase(got[index]), filter)),
  ];
}

function camelCase(value: unknown, isMap = false): unknown {
  if (Array.isArray(value)) return value.map((item) => camelCase(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      isMap ? key : key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelCase(inner, key === "policies"),
    ]),
  );
}
