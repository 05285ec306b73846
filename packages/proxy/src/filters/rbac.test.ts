/** RBAC decisions: each kind of rule, and what must not get around it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { Fields } from "../config/fields.ts";
import { compileRbac, decideRbac } from "./rbac.ts";
import type { RbacFacts } from "./rbac-matcher.ts";

const CLIENT = "spiffe://cluster.local/ns/shop/sa/web";

interface Request {
  readonly path?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly headers?: readonly (readonly [string, string])[];
}
interface FactSpec extends Partial<Omit<RbacFacts, "request" | "metadata">> {
  readonly http?: Request | "none";
  readonly claims?: unknown;
}

function factsOf({ http = {}, claims, ...rest }: FactSpec): RbacFacts {
  const request =
    http === "none"
      ? undefined
      : {
          method: http.method ?? "GET",
          path: http.path ?? "/",
          authority: http.authority ?? "shop",
          scheme: "http",
          headers: createHeaderBlock(http.headers ?? []),
        };
  return {
    destinationIp: "10.0.0.1",
    destinationPort: 80,
    directRemoteIp: "10.0.0.9",
    remoteIp: "192.0.2.1",
    serverName: "",
    peer: { uris: [CLIENT], dnsNames: [], subject: "" },
    metadata: (filter) => (filter === "envoy.filters.http.jwt_authn" ? { payload: claims } : undefined),
    ...rest,
    request,
  };
}

const claim = (keys: readonly string[], value: object) => ({
  metadata: { filter: "envoy.filters.http.jwt_authn", path: ["payload", ...keys].map((key) => ({ key })), value },
});
const path = (match: object) => ({ url_path: { path: match } });
const principal = (match: object) => ({ authenticated: { principal_name: match } });

const cases: readonly {
  readonly name: string;
  readonly permission?: object;
  readonly principal?: object;
  readonly facts?: FactSpec;
  readonly matches: boolean;
}[] = [
  { name: "anything", matches: true },
  { name: "an exact path", permission: path({ exact: "/a" }), facts: { http: { path: "/a" } }, matches: true },
  {
    name: "an exact path with a query",
    permission: path({ exact: "/a" }),
    facts: { http: { path: "/a?b" } },
    matches: true,
  },
  {
    name: "an exact path with a fragment",
    permission: path({ exact: "/a" }),
    facts: { http: { path: "/a#b" } },
    matches: true,
  },
  { name: "a path on TCP", permission: path({ exact: "/a" }), facts: { http: "none" }, matches: false },
  {
    name: "a template: one segment",
    permission: { uri_template: { typed_config: { path_template: "/a/*/c" } } },
    facts: { http: { path: "/a/b/c?x" } },
    matches: true,
  },
  {
    name: "a template: not two segments for one",
    permission: { uri_template: { typed_config: { path_template: "/a/*/c" } } },
    facts: { http: { path: "/a/b/b/c" } },
    matches: false,
  },
  {
    name: "a template: any depth",
    permission: { uri_template: { typed_config: { path_template: "/**/c.d" } } },
    facts: { http: { path: "/a/b/c.d" } },
    matches: true,
  },
  {
    name: "a template: a dot is a dot",
    permission: { uri_template: { typed_config: { path_template: "/**/c.d" } } },
    facts: { http: { path: "/a/cxd" } },
    matches: false,
  },
  {
    name: "a host in another case",
    permission: { header: { name: ":authority", string_match: { exact: "secret.com", ignore_case: true } } },
    facts: { http: { authority: "Secret.COM" } },
    matches: true,
  },
  {
    name: "a header that came twice, the second value",
    principal: { header: { name: "x-role", string_match: { exact: "bad" } } },
    facts: {
      http: {
        headers: [
          ["x-role", "good"],
          ["x-role", "bad"],
        ],
      },
    },
    matches: true,
  },
  {
    name: "a header that is not there",
    principal: { header: { name: "x-role", string_match: { prefix: "" } } },
    matches: false,
  },
  {
    name: "not a header that is not there",
    principal: { not_id: { header: { name: "x-role", present_match: true } } },
    matches: true,
  },
  { name: "a port", permission: { destination_port: 80 }, matches: true },
  { name: "another port", permission: { destination_port: 81 }, matches: false },
  {
    name: "a range of ports without its end",
    permission: { destination_port_range: { start: 70, end: 80 } },
    matches: false,
  },
  {
    name: "the destination's address",
    permission: { destination_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } },
    matches: true,
  },
  {
    name: "the connection's address",
    principal: { direct_remote_ip: { address_prefix: "10.0.0.9", prefix_len: 32 } },
    matches: true,
  },
  {
    name: "the client's address is not the connection's",
    principal: { remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } },
    matches: false,
  },
  {
    name: "a server name",
    permission: { requested_server_name: { suffix: ".example.com" } },
    facts: { serverName: "a.example.com" },
    matches: true,
  },
  { name: "a principal", principal: principal({ exact: CLIENT }), matches: true },
  { name: "a principal that only begins so", principal: principal({ exact: CLIENT.slice(0, -1) }), matches: false },
  { name: "a namespace", principal: principal({ safe_regex: { regex: ".*/ns/shop/.*" } }), matches: true },
  {
    name: "nobody without a certificate",
    principal: principal({ prefix: "" }),
    facts: { peer: undefined },
    matches: false,
  },
  { name: "anybody with a certificate", principal: { authenticated: {} }, matches: true },
  {
    name: "a DNS name where there is no URI",
    principal: principal({ exact: "web.shop" }),
    facts: { peer: { uris: [], dnsNames: ["web.shop"], subject: "CN=x" } },
    matches: true,
  },
  {
    name: "a claim of text",
    principal: claim(["iss"], { string_match: { exact: "me" } }),
    facts: { claims: { iss: "me" } },
    matches: true,
  },
  {
    name: "a claim of a list",
    principal: claim(["aud"], { list_match: { one_of: { string_match: { exact: "b" } } } }),
    facts: { claims: { aud: ["a", "b"] } },
    matches: true,
  },
  {
    name: "a nested claim",
    principal: claim(["a", "b"], { string_match: { exact: "c" } }),
    facts: { claims: { a: { b: "c" } } },
    matches: true,
  },
  {
    name: "no claim that every object inherits",
    principal: claim(["constructor", "name"], { string_match: { prefix: "" } }),
    facts: { claims: {} },
    matches: false,
  },
  { name: "a claim without a token", principal: claim(["iss"], { present_match: true }), matches: false },
  {
    name: "both of two",
    permission: { and_rules: { rules: [{ destination_port: 80 }, path({ exact: "/b" })] } },
    matches: false,
  },
  {
    name: "one of two",
    permission: { or_rules: { rules: [{ destination_port: 80 }, path({ exact: "/b" })] } },
    matches: true,
  },
];

const compiled = (action: string, permission: object, who: object) => {
  const problems: { path: string; message: string }[] = [];
  const policies = { p: { permissions: [permission], principals: [who] } };
  const config = compileRbac(new Fields({ rules: { action, policies } }, "", { problems }));
  return { rules: config.rules, problems };
};

for (const c of cases) {
  test(`RBAC: ${c.name} ${c.matches ? "matches" : "does not match"}`, () => {
    const facts = factsOf(c.facts ?? {});
    for (const action of ["ALLOW", "DENY"]) {
      const { rules, problems } = compiled(action, c.permission ?? { any: true }, c.principal ?? { any: true });
      assert.deepEqual(problems, []);
      assert.ok(rules !== undefined);
      const decision = decideRbac(rules, facts);
      assert.deepEqual(decision, { isAllowed: c.matches === (action === "ALLOW"), policy: c.matches ? "p" : "none" });
    }
  });
}

test("ALLOW without policies lets nobody in, DENY without policies everybody", () => {
  const rulesOf = (action: string) => compileRbac(new Fields({ rules: { action } }, "", { problems: [] })).rules;
  const [allow, deny] = [rulesOf("ALLOW"), rulesOf("DENY")];
  assert.ok(allow !== undefined && deny !== undefined);
  assert.equal(decideRbac(allow, factsOf({})).isAllowed, false);
  assert.equal(decideRbac(deny, factsOf({})).isAllowed, true);
});

for (const [name, rule] of [
  ["a rule that is not known", { filter_state: {} }],
  ["a rule that says nothing", {}],
] as const) {
  test(`${name} refuses the configuration`, () => {
    assert.notDeepEqual(compiled("ALLOW", rule, { any: true }).problems, []);
    assert.notDeepEqual(compiled("ALLOW", { any: true }, rule).problems, []);
  });
}
