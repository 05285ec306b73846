import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import type { Problem } from "@argyle/core";
import { Fields } from "./config/fields.ts";
import type { RequestView } from "./config/header-matcher.ts";
import { compileRouteTable, type RouteTable } from "./config/route-config.ts";
import { findRoute, findVirtualHost, pickCluster, redirectLocation } from "./router.ts";

function compile(config: object): { readonly table: RouteTable; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  return { table: compileRouteTable(new Fields(config, "", { problems })), problems };
}

function request(path: string, headers: Readonly<Record<string, string>> = {}, authority = "shop"): RequestView {
  return { method: "GET", path, authority, scheme: "http", headers: createHeaderBlock(Object.entries(headers)) };
}

const hosts = compile({
  virtual_hosts: [
    { name: "exact", domains: ["www.foo.com", "www.foo.com:80"], routes: [] },
    { name: "suffix", domains: ["*.foo.com"], routes: [] },
    { name: "longer-suffix", domains: ["*-bar.foo.com"], routes: [] },
    { name: "prefix", domains: ["foo.*"], routes: [] },
    { name: "any", domains: ["*"], routes: [] },
  ],
}).table;
for (const [authority, want] of [
  ["www.foo.com", "exact"],
  ["WWW.Foo.com", "exact"],
  ["www.foo.com:80", "exact"],
  ["a.foo.com", "suffix"],
  ["x-bar.foo.com", "longer-suffix"],
  ["foo.org", "prefix"],
  [".foo.com", "any"],
  ["other", "any"],
] as const)
  test(`virtual host of ${authority} is ${want}`, () => assert.equal(findVirtualHost(hosts, authority)?.name, want));

const matches: readonly { match: object; yes: readonly RequestView[]; no: readonly RequestView[] }[] = [
  {
    match: { prefix: "/a" },
    yes: [request("/a"), request("/ab?x"), request("/a/b")],
    no: [request("/"), request("/A")],
  },
  {
    match: { path: "/a" },
    yes: [request("/a"), request("/a?x=1"), request("/a#f")],
    no: [request("/a/"), request("/ab")],
  },
  { match: { path: "/A", case_sensitive: false }, yes: [request("/a")], no: [request("/b")] },
  {
    match: { safe_regex: { regex: "/a[0-9]+" } },
    yes: [request("/a12?q=z")],
    no: [request("/a12b"), request("/x/a1")],
  },
  { match: { safe_regex: { regex: "/a.*" } }, yes: [request("/a"), request("/ab")], no: [request("/b")] },
  { match: { path_separated_prefix: "/a/b" }, yes: [request("/a/b"), request("/a/b/c")], no: [request("/a/bc")] },
  {
    match: { prefix: "/", headers: [{ name: "end-user", string_match: { exact: "jason" } }] },
    yes: [request("/", { "end-user": "jason" })],
    no: [request("/"), request("/", { "end-user": "Jason" })],
  },
  {
    match: { prefix: "/", headers: [{ name: "x", string_match: { prefix: "AB", ignore_case: true } }] },
    yes: [request("/", { x: "abc" })],
    no: [request("/", { x: "xab" })],
  },
  {
    match: { prefix: "/", headers: [{ name: "x", present_match: true }] },
    yes: [request("/", { x: "" })],
    no: [request("/")],
  },
  {
    match: { prefix: "/", headers: [{ name: "x", present_match: true, invert_match: true }] },
    yes: [request("/")],
    no: [request("/", { x: "1" })],
  },
  {
    match: { prefix: "/", headers: [{ name: "n", range_match: { start: 1, end: 5 } }] },
    yes: [request("/", { n: "1" }), request("/", { n: "4" })],
    no: [request("/", { n: "5" }), request("/", { n: "x" }), request("/")],
  },
  {
    match: { prefix: "/", headers: [{ name: ":method", string_match: { exact: "GET" } }] },
    yes: [request("/")],
    no: [{ ...request("/"), method: "POST" }],
  },
  {
    match: { prefix: "/", query_parameters: [{ name: "v", string_match: { exact: "2" } }] },
    yes: [request("/?v=2"), request("/?a=b&v=2")],
    no: [request("/"), request("/?v=3")],
  },
];
for (const c of matches) {
  test(`match ${JSON.stringify(c.match)}`, () => {
    const { table, problems } = compile({
      virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: c.match, route: { cluster: "a" } }] }],
    });
    assert.deepEqual(problems, []);
    const host = table.fallback;
    assert.ok(host);
    for (const view of c.yes) assert.ok(findRoute(host, view, 0), `${view.path} must match`);
    for (const view of c.no) assert.equal(findRoute(host, view, 0), undefined, `${view.path} must not match`);
  });
}

test("weights are exact over the total", () => {
  const clusters = [
    { name: "a", weight: 3 },
    { name: "b", weight: 7 },
  ];
  const route = { match: { prefix: "/" }, route: { weighted_clusters: { clusters } } };
  const action = compile({ virtual_hosts: [{ name: "v", domains: ["*"], routes: [route] }] }).table.fallback?.routes[0]
    ?.action;
  assert.ok(action?.kind === "route");
  const picks = Array.from({ length: 10 }, (_, random) => pickCluster(action.target, request("/"), random).name);
  assert.deepEqual(picks, ["a", "a", "a", "b", "b", "b", "b", "b", "b", "b"]);
});

test("redirects rewrite scheme, host, port and path", () => {
  const at = (redirect: object, path: string) => {
    const route = compile({
      virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/old" }, redirect }] }],
    }).table.fallback?.routes[0];
    assert.ok(route?.action.kind === "redirect");
    return redirectLocation(route.action, request(path, {}, "shop:80"), route);
  };
  assert.equal(at({ https_redirect: true }, "/old?a=b"), "https://shop/old?a=b");
  assert.equal(at({ host_redirect: "new", path_redirect: "/x" }, "/old?a=b"), "http://new/x?a=b");
  assert.equal(at({ prefix_rewrite: "/new", strip_query: true }, "/old/1?a=b"), "http://shop:80/new/1");
  assert.equal(at({ port_redirect: 8443, scheme_redirect: "https" }, "/old"), "https://shop:8443/old");
});

test("tells every problem with its path", () => {
  const { problems } = compile({
    virtual_hosts: [
      {
        name: "v",
        domains: ["a"],
        routes: [{ match: {}, route: { cluster: "x" } }, { match: { safe_regex: { regex: "(" } } }],
      },
      { name: "w", domains: ["a"], routes: [] },
    ],
  });
  assert.deepEqual(
    problems.map(({ path }) => path),
    [
      "virtual_hosts[0].routes[0].match",
      "virtual_hosts[0].routes[1].match.safe_regex",
      "virtual_hosts[0].routes[1]",
      "virtual_hosts",
    ],
  );
});
