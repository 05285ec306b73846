import assert from "node:assert/strict";
import { test } from "node:test";
import { validateIstio } from "./istio.ts";

const of = (kind: string, spec: object, group = "networking", metadata: object = {}) => ({
  apiVersion: `${group}.istio.io/v1`,
  kind,
  metadata: { name: "x", namespace: "shop", ...metadata },
  spec,
});
const to = (host: string, weight?: number) => ({ destination: { host }, ...(weight === undefined ? {} : { weight }) });
const http = (route: object) => of("VirtualService", { hosts: ["front-end"], http: [route] });
const rule = (trafficPolicy: object) => of("DestinationRule", { host: "carts", trafficPolicy });
const authz = (spec: object) => of("AuthorizationPolicy", spec, "security");

const cases: readonly {
  readonly name: string;
  readonly object: ReturnType<typeof of>;
  readonly errors?: readonly string[];
  readonly warnings?: readonly RegExp[];
}[] = [
  { name: "a plain route", object: http({ route: [to("front-end")] }) },
  {
    name: "the spellings of old manifests",
    object: http({
      route: [to("front-end", 100)],
      mirror: { host: "v2" },
      mirror_percent: 100,
      corsPolicy: { allowOrigin: ["*"] },
    }),
  },
  {
    name: "weights that add up to nothing",
    object: http({ route: [to("a", 0), to("b", 0)] }),
    errors: ["spec.http[0].route: total destination weight = 0"],
  },
  {
    name: "nothing to do",
    object: http({ match: [{ uri: { prefix: "/" } }] }),
    errors: ["spec.http[0]: HTTP route, redirect or direct_response is required"],
  },
  {
    name: "route and redirect",
    object: http({ route: [to("a")], redirect: { uri: "/b" } }),
    errors: ["spec.http[0]: HTTP route cannot contain both route and redirect"],
  },
  {
    name: "all problems at once",
    object: http({ route: [to("*")], timeout: "soon", retries: { attempts: -1, retryOn: "5xx,sometimes" } }),
    errors: [
      "spec.http[0].retries.attempts: attempts cannot be negative",
      'spec.http[0].retries.retryOn: "sometimes" is not a valid retryOn policy',
      'spec.http[0].timeout: invalid duration: "soon"',
      "spec.http[0].route[0].destination.host: invalid destination host *",
    ],
  },
  {
    name: "an abort without status",
    object: http({ route: [to("a")], fault: { abort: { percentage: { value: 10 } } } }),
    warnings: [/abort configured, but error type not set/],
  },
  {
    name: "a delay of more than all requests",
    object: http({ route: [to("a")], fault: { delay: { fixedDelay: "5s", percentage: { value: 101 } } } }),
    errors: ["spec.http[0].fault.delay.percentage: percentage 101 is not in range 0..100, or smaller than 0.0001"],
  },
  {
    name: "the authority set twice",
    object: http({
      route: [to("a")],
      rewrite: { authority: "b" },
      headers: { request: { set: { ":authority": "c" } } },
    }),
    errors: ['spec.http[0]: authority header cannot be set multiple times: have "b", attempting to set "c"'],
  },
  {
    name: "a claim without gateway",
    object: http({ match: [{ headers: { "@request.auth.claims.group": { exact: "a" } } }], route: [to("a")] }),
    errors: [
      "spec.http[0].match[0].headers.@request.auth.claims.group: JWT claim based routing (key: @request.auth.claims.group) is only supported for gateway",
    ],
  },
  {
    name: "hosts that overlap",
    object: of("VirtualService", { hosts: ["*.shop.com", "a.shop.com"], http: [{ route: [to("a")] }] }),
    errors: ["spec.hosts[1]: duplicate hosts in virtual service: *.shop.com & a.shop.com"],
  },
  {
    name: "a rule that is never reached",
    object: of("VirtualService", {
      hosts: ["a"],
      http: [{ route: [to("a")] }, { match: [{ uri: { prefix: "/b" } }], route: [to("b")] }],
    }),
    warnings: [/rule #1 not used \(route without matches defined before\)/],
  },
  {
    name: "a prefix behind a shorter one",
    object: http({ match: [{ uri: { prefix: "/a" } }, { uri: { prefix: "/ab" } }], route: [to("a")] }),
    warnings: [/rule #0 match #1 is not used/],
  },
  {
    name: "a delegate that delegates",
    object: of("VirtualService", { http: [{ delegate: { name: "x" } }] }),
    errors: ["spec.http[0].delegate: delegate HTTP route cannot contain delegate"],
  },
  {
    name: "the talk's circuit breaker",
    object: rule({
      connectionPool: { tcp: { maxConnections: 1 } },
      outlierDetection: { consecutiveErrors: 1, interval: "1s" },
    }),
    warnings: [/consecutive errors is deprecated/],
  },
  {
    name: "an empty policy",
    object: rule({}),
    errors: ["spec.trafficPolicy: traffic policy must have at least one field"],
  },
  {
    name: "mutual TLS without keys",
    object: rule({ tls: { mode: "MUTUAL" } }),
    errors: [
      "spec.trafficPolicy.tls: client certificate required for mutual tls",
      "spec.trafficPolicy.tls: private key required for mutual tls",
    ],
  },
  {
    name: "locality weights that are not 100",
    object: rule({ loadBalancer: { localityLbSetting: { distribute: [{ from: "a/*", to: { "a/*": 90 } }] } } }),
    errors: ["spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: total locality weight 90 != 100"],
  },
  {
    name: "a gateway's server without TLS settings",
    object: of("Gateway", {
      servers: [{ port: { number: 443, name: "https", protocol: "HTTPS" }, hosts: ["*"] }],
    }),
    errors: ["spec.servers[0]: server must have TLS settings for HTTPS/TLS protocols"],
  },
  {
    name: "an external service by DNS",
    object: of("ServiceEntry", {
      hosts: ["api.example.com"],
      ports: [{ number: 443, name: "tls", protocol: "TLS" }],
      resolution: "DNS",
    }),
  },
  {
    name: "a range with DNS",
    object: of("ServiceEntry", {
      hosts: ["api.example.com"],
      addresses: ["10.1.0.0/16"],
      ports: [{ number: 443, name: "tls", protocol: "TLS" }],
      resolution: "DNS",
    }),
    errors: ["spec.addresses: CIDR addresses are allowed only for NONE/STATIC resolution types"],
  },
  {
    name: "an egress host without namespace",
    object: of("Sidecar", { egress: [{ hosts: ["front-end"] }] }),
    errors: ["spec.egress[0].hosts[0]: host must be of form namespace/dnsName"],
  },
  {
    name: "a port-level mode for a whole namespace",
    object: of("PeerAuthentication", { portLevelMtls: { "80": { mode: "DISABLE" } } }, "security"),
    errors: [
      "spec.portLevelMtls: mesh/namespace-level policy (no workload selector) can not have port level mTLS: portLevelMtls requires selector",
    ],
  },
  { name: "an ALLOW policy of nothing", object: authz({}) },
  {
    name: "a condition on nothing",
    object: authz({ rules: [{ when: [{ key: "source.ip", values: ["everywhere"] }] }] }),
    errors: ['spec.rules[0].when[0]: bad IP range "everywhere" for source.ip'],
  },
  {
    name: "a DENY of methods",
    object: authz({ action: "DENY", rules: [{ to: [{ operation: { methods: ["POST"] } }] }] }),
    warnings: [/will deny all traffic to TCP ports/],
  },
  {
    name: "keys that are none",
    object: of("RequestAuthentication", { jwtRules: [{ issuer: "i", jwks: "{}" }] }, "security"),
    errors: ["spec.jwtRules[0].jwks: parse jwks error: not a JSON Web Key Set"],
  },
  {
    name: "more than all traces",
    object: of("Telemetry", { tracing: [{ randomSamplingPercentage: 101 }] }, "telemetry"),
    errors: ["spec.tracing[0].randomSamplingPercentage: randomSamplingPercentage must be in range [0.0, 100.0]"],
  },
  {
    name: "a patch without operation",
    object: of("EnvoyFilter", { configPatches: [{ applyTo: "CLUSTER", patch: { value: {} } }] }),
    errors: ["spec.configPatches[0].patch.operation: Envoy filter: missing patch operation"],
  },
  {
    name: "a WorkloadEntry without address",
    object: of("WorkloadEntry", {}),
    errors: ["spec.address: address is required"],
  },
  { name: "a kind of another group", object: { ...of("Gateway", {}), apiVersion: "gateway.networking.k8s.io/v1" } },
];
for (const c of cases) {
  test(`Istio: ${c.name}`, () => {
    const { errors, warnings } = validateIstio(c.object);
    assert.deepEqual(
      errors.map((p) => `${p.path}: ${p.message}`),
      c.errors ?? [],
    );
    assert.equal(warnings.length, c.warnings?.length ?? 0, warnings.join("\n"));
    for (const [index, pattern] of (c.warnings ?? []).entries()) assert.match(warnings[index] ?? "", pattern);
  });
}

for (const pattern of ["(", "a{2", "(?=x)"]) {
  test(`regex ${pattern} is not RE2`, () => {
    const { errors } = validateIstio(http({ match: [{ uri: { regex: pattern } }], route: [to("a")] }));
    assert.equal(errors.length, pattern === "a{2" ? 0 : 1, JSON.stringify(errors));
  });
}
