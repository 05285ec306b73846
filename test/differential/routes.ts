/** The route table of the differential run: every kind of match and action that both proxies know, each under a path of its own. */
const TYPE = "type.googleapis.com/envoy";

/** Clusters a, b and c are recording backends; `closed` refuses connections, `empty` has no host, `missing` does not exist. */
const to = (cluster: string, more: object = {}) => ({ cluster, ...more });
const set = (key: string, value: string, append_action = "OVERWRITE_IF_EXISTS_OR_ADD") => ({
  header: { key, value },
  append_action,
});
const header = (name: string, string_match: object, more: object = {}) => ({ name, string_match, ...more });
const regexRewrite = (regex: string, substitution: string) => ({ pattern: { regex }, substitution });
const all = { numerator: 100, denominator: "HUNDRED" };
const fault = (config: object) => ({
  "envoy.filters.http.fault": { "@type": `${TYPE}.extensions.filters.http.fault.v3.HTTPFault`, ...config },
});

const MATCHES: readonly object[] = [
  { match: { path: "/exact" }, route: to("b") },
  { match: { path: "/CaseLess", case_sensitive: false }, route: to("b") },
  { match: { prefix: "/prefix" }, route: to("b") },
  { match: { path_separated_prefix: "/sep" }, route: to("b") },
  { match: { safe_regex: { regex: "/re/[0-9]+(/x)?" } }, route: to("b") },
  { match: { prefix: "/h/exact", headers: [header("x-a", { exact: "1" })] }, route: to("b") },
  { match: { prefix: "/h/prefix", headers: [header("x-a", { prefix: "ab" })] }, route: to("b") },
  { match: { prefix: "/h/suffix", headers: [header("x-a", { suffix: "yz" })] }, route: to("b") },
  { match: { prefix: "/h/contains", headers: [header("x-a", { contains: "mid" })] }, route: to("b") },
  { match: { prefix: "/h/regex", headers: [header("x-a", { safe_regex: { regex: "v[0-9]+" } })] }, route: to("b") },
  { match: { prefix: "/h/case", headers: [header("x-a", { exact: "AbC", ignore_case: true })] }, route: to("b") },
  { match: { prefix: "/h/not", headers: [header("x-a", { exact: "1" }, { invert_match: true })] }, route: to("b") },
  {
    match: {
      prefix: "/h/missing",
      headers: [header("x-a", { exact: "1" }, { invert_match: true, treat_missing_header_as_empty: true })],
    },
    route: to("b"),
  },
  { match: { prefix: "/h/present", headers: [{ name: "x-a", present_match: true }] }, route: to("b") },
  { match: { prefix: "/h/absent", headers: [{ name: "x-a", present_match: false }] }, route: to("b") },
  { match: { prefix: "/h/range", headers: [{ name: "x-a", range_match: { start: 5, end: 10 } }] }, route: to("b") },
  { match: { prefix: "/h/method", headers: [header(":method", { exact: "POST" })] }, route: to("b") },
  { match: { prefix: "/h/authority", headers: [header(":authority", { exact: "shop:81" })] }, route: to("b") },
  { match: { prefix: "/h/path", headers: [header(":path", { suffix: "?z=1" })] }, route: to("b") },
  { match: { prefix: "/h/scheme", headers: [header(":scheme", { exact: "https" })] }, route: to("b") },
  {
    match: { prefix: "/h/two", headers: [header("x-a", { exact: "1" }), header("x-b", { exact: "2" })] },
    route: to("b"),
  },
  { match: { prefix: "/q/exact", query_parameters: [{ name: "q", string_match: { exact: "1" } }] }, route: to("b") },
  { match: { prefix: "/q/present", query_parameters: [{ name: "q", present_match: true }] }, route: to("b") },
  {
    match: { prefix: "/q/regex", query_parameters: [{ name: "q", string_match: { safe_regex: { regex: "a+" } } }] },
    route: to("b"),
  },
  { match: { prefix: "/grpc", grpc: {} }, route: to("b") },
  { match: { prefix: "/never", runtime_fraction: { default_value: { numerator: 0 } } }, route: to("b") },
  { match: { prefix: "/always", runtime_fraction: { default_value: all } }, route: to("b") },
];

const REDIRECTS: readonly object[] = [
  { match: { prefix: "/r/host" }, redirect: { host_redirect: "other.example" } },
  { match: { prefix: "/r/path" }, redirect: { path_redirect: "/new", response_code: "FOUND" } },
  { match: { prefix: "/r/query" }, redirect: { path_redirect: "/new?own=1", response_code: "FOUND" } },
  { match: { prefix: "/r/prefix" }, redirect: { prefix_rewrite: "/p", response_code: "SEE_OTHER" } },
  { match: { prefix: "/r/scheme" }, redirect: { scheme_redirect: "ftp" } },
  { match: { prefix: "/r/https" }, redirect: { https_redirect: true } },
  { match: { prefix: "/r/port" }, redirect: { port_redirect: 8443, response_code: "TEMPORARY_REDIRECT" } },
  { match: { prefix: "/r/httpsport" }, redirect: { https_redirect: true, port_redirect: 443 } },
  { match: { prefix: "/r/strip" }, redirect: { path_redirect: "/s", strip_query: true } },
  {
    match: { prefix: "/r/regex" },
    redirect: {
      regex_rewrite: regexRewrite("^/r/regex/([a-z]+)", "/x/\\1"),
      response_code: "PERMANENT_REDIRECT",
    },
  },
  { match: { prefix: "/d/ok" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
  { match: { prefix: "/d/empty" }, direct_response: { status: 204 } },
  {
    match: { prefix: "/d/headers" },
    direct_response: { status: 403, body: { inline_string: "no" } },
    response_headers_to_add: [set("x-why", "policy"), set("content-type", "application/json")],
  },
];

const REWRITES: readonly object[] = [
  { match: { prefix: "/w/prefix" }, route: to("a", { prefix_rewrite: "/new" }) },
  { match: { prefix: "/w/strip/" }, route: to("a", { prefix_rewrite: "/" }) },
  { match: { path: "/w/exact" }, route: to("a", { prefix_rewrite: "/whole" }) },
  {
    match: { prefix: "/w/regex" },
    route: to("a", { regex_rewrite: regexRewrite("/w/regex/([^/]+)/(.*)", "/\\2/\\1") }),
  },
  { match: { prefix: "/w/host" }, route: to("a", { host_rewrite_literal: "rewritten" }) },
  {
    match: { prefix: "/w/xfh" },
    route: to("a", { host_rewrite_literal: "rewritten", append_x_forwarded_host: true }),
  },
  { match: { prefix: "/w/header" }, route: to("a", { host_rewrite_header: "x-host" }) },
  {
    match: { prefix: "/w/pathhost" },
    route: to("a", { host_rewrite_path_regex: regexRewrite("^/w/pathhost/([^/]+).*$", "\\1") }),
  },
  {
    match: { prefix: "/m/request" },
    route: to("a"),
    request_headers_to_add: [
      set("x-set", "new"),
      set("x-append", "more", "APPEND_IF_EXISTS_OR_ADD"),
      set("x-absent", "default", "ADD_IF_ABSENT"),
      set("x-exists", "changed", "OVERWRITE_IF_EXISTS"),
      set("x-from", "%REQ(x-source)%|%REQ(:method)%|%REQ(:path)%|%PROTOCOL%|100%%"),
      set("x-address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ],
    request_headers_to_remove: ["x-gone"],
  },
  {
    match: { prefix: "/m/response" },
    route: to("a"),
    response_headers_to_add: [
      set("x-set", "new"),
      set("x-append", "more", "APPEND_IF_EXISTS_OR_ADD"),
      set("x-code", "%RESPONSE_CODE%"),
    ],
    response_headers_to_remove: ["x-gone", "server"],
  },
  { match: { prefix: "/ch" }, route: { cluster_header: "x-cluster" } },
  {
    match: { prefix: "/weighted" },
    route: {
      weighted_clusters: {
        clusters: [
          { name: "a", weight: 0 },
          {
            name: "b",
            weight: 100,
            request_headers_to_add: [set("x-weighted", "b")],
            response_headers_to_add: [set("x-weighted", "b")],
          },
        ],
      },
    },
  },
];

const retry = (retry_on: string, more: object = {}) => ({
  retry_policy: {
    retry_on,
    num_retries: 2,
    retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
    ...more,
  },
});
const upgrade = { upgrade_configs: [{ upgrade_type: "websocket" }] };

const BEHAVIOURS: readonly object[] = [
  { match: { prefix: "/t/short" }, route: to("a", { timeout: "0.1s" }) },
  { match: { prefix: "/t/try" }, route: to("a", retry("gateway-error", { per_try_timeout: "0.05s", num_retries: 1 })) },
  { match: { prefix: "/t/idle" }, route: to("a", { timeout: "0s", idle_timeout: "0.1s" }) },
  { match: { prefix: "/t/max" }, route: to("a", { max_stream_duration: { max_stream_duration: "0.1s" } }) },
  { match: { prefix: "/t/zero" }, route: to("a", { timeout: "0s" }) },
  { match: { prefix: "/retry/5xx" }, route: to("a", retry("5xx")) },
  { match: { prefix: "/retry/gateway" }, route: to("a", retry("gateway-error")) },
  {
    match: { prefix: "/retry/codes" },
    route: to("a", retry("retriable-status-codes", { retriable_status_codes: [418] })),
  },
  { match: { prefix: "/retry/4xx" }, route: to("a", retry("retriable-4xx")) },
  { match: { prefix: "/retry/reset" }, route: to("a", retry("reset")) },
  { match: { prefix: "/retry/connect" }, route: to("closed", retry("connect-failure")) },
  { match: { prefix: "/retry/before" }, route: to("a", retry("reset-before-request")) },
  {
    match: { prefix: "/retry/headers" },
    route: to("a", retry("retriable-headers", { retriable_headers: [{ name: "x-again", present_match: true }] })),
  },
  { match: { prefix: "/retry/none" }, route: to("a") },
  {
    match: { prefix: "/f/abort" },
    route: to("a"),
    typed_per_filter_config: fault({ abort: { http_status: 418, percentage: all } }),
  },
  {
    match: { prefix: "/f/delay" },
    route: to("a"),
    typed_per_filter_config: fault({ delay: { fixed_delay: "0.03s", percentage: all } }),
  },
  {
    match: { prefix: "/f/both" },
    route: to("a"),
    typed_per_filter_config: fault({
      delay: { fixed_delay: "0.03s", percentage: all },
      abort: { http_status: 500, percentage: all },
    }),
  },
  {
    match: { prefix: "/f/header" },
    route: to("a"),
    typed_per_filter_config: fault({
      headers: [header("x-user", { exact: "jason" })],
      abort: { http_status: 555, percentage: all },
    }),
  },
  {
    match: { prefix: "/f/none" },
    route: to("a"),
    typed_per_filter_config: fault({ abort: { http_status: 500, percentage: { numerator: 0 } } }),
  },
  {
    match: { prefix: "/cors" },
    route: to("a"),
    typed_per_filter_config: {
      "envoy.filters.http.cors": {
        "@type": `${TYPE}.extensions.filters.http.cors.v3.CorsPolicy`,
        allow_origin_string_match: [{ exact: "https://good.example" }, { safe_regex: { regex: "https://.*\\.ok" } }],
        allow_methods: "GET, PUT",
        allow_headers: "x-a, x-b",
        expose_headers: "x-c",
        max_age: "600",
        allow_credentials: true,
      },
    },
  },
  { match: { prefix: "/ws" }, route: to("a", upgrade) },
  { match: { prefix: "/nocluster404" }, route: to("missing", { cluster_not_found_response_code: "NOT_FOUND" }) },
  { match: { prefix: "/nocluster" }, route: to("missing") },
  { match: { prefix: "/empty" }, route: to("empty") },
  { match: { prefix: "/closed" }, route: to("closed") },
  { match: { connect_matcher: {} }, route: to("c", { upgrade_configs: [{ upgrade_type: "CONNECT" }] }) },
];

/** Hosts: exact, suffix and prefix wildcards, one that wants TLS, one that counts attempts, one with a single route, and the rest. */
export function routeTable(extra: readonly object[] = []): object {
  const shop = [
    ...extra,
    ...MATCHES,
    ...REDIRECTS,
    ...REWRITES,
    ...BEHAVIOURS,
    { match: { prefix: "/" }, route: to("a") },
  ];
  return {
    name: "routes",
    validate_clusters: false,
    request_headers_to_add: [set("x-table", "t", "APPEND_IF_EXISTS_OR_ADD")],
    virtual_hosts: [
      { name: "shop", domains: ["shop", "shop:81", "*.shop.example", "shop.*"], routes: shop },
      { name: "longer", domains: ["*.b.shop.example"], routes: [{ match: { prefix: "/" }, route: to("c") }] },
      { name: "secret", domains: ["secret.com"], routes: [{ match: { prefix: "/" }, route: to("b") }] },
      { name: "secure", domains: ["secure"], require_tls: "ALL", routes: [{ match: { prefix: "/" }, route: to("a") }] },
      {
        name: "outside",
        domains: ["outside"],
        require_tls: "EXTERNAL_ONLY",
        routes: [{ match: { prefix: "/" }, route: to("a") }],
      },
      { name: "one", domains: ["one"], routes: [{ match: { path: "/only" }, route: to("a") }] },
      {
        name: "attempts",
        domains: ["attempts"],
        include_request_attempt_count: true,
        include_attempt_count_in_response: true,
        ...retry("5xx"),
        request_headers_to_add: [set("x-host", "attempts", "APPEND_IF_EXISTS_OR_ADD")],
        routes: [
          {
            match: { prefix: "/" },
            route: to("a"),
            request_headers_to_add: [set("x-host", "route", "APPEND_IF_EXISTS_OR_ADD")],
          },
        ],
      },
      {
        name: "connect",
        domains: ["up.example:443", "chain.example:443"],
        routes: [
          {
            match: { connect_matcher: {} },
            route: to("c", { upgrade_configs: [{ upgrade_type: "CONNECT" }] }),
          },
        ],
      },
      { name: "any", domains: ["*"], routes: [{ match: { prefix: "/" }, route: to("c") }] },
    ],
  };
}
