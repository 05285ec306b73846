import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentSpec } from "./agent-spec.ts";
import { describeWorkload, parseDownwardFile } from "./workload.ts";

const spec = (env: Record<string, string>, args: readonly string[] = ["proxy", "sidecar"]): AgentSpec => ({
  podIP: "10.244.0.7",
  args,
  env,
  rootfs: "/nowhere",
});
const files = { labels: 'app="web"\nversion="v1"\nistio-locality="eu.a"', annotations: 'note="a \\"b\\""' };

test("describes an injected sidecar as pilot-agent does", () => {
  const workload = describeWorkload(
    spec(
      {
        POD_NAME: "web-1",
        POD_NAMESPACE: "shop",
        INSTANCE_IP: "10.244.0.5",
        SERVICE_ACCOUNT: "web",
        HOST_IP: "127.0.0.1",
        TRUST_DOMAIN: "td",
        CA_ADDR: "ca.example:1",
        ISTIO_META_WORKLOAD_NAME: "web",
        ISTIO_META_OWNER: "kubernetes://apis/apps/v1/namespaces/shop/deployments/web",
        ISTIO_METAJSON_EXTRA: '{"A":{"b":1}}',
        PROXY_CONFIG: '{"discoveryAddress":"other.istio-system.svc:15012","proxyMetadata":{"P":"q"}}',
      },
      ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
    ),
    files,
  );
  const { node } = workload;
  assert.equal(node.id, "sidecar~10.244.0.5~web-1.shop~shop.svc.cluster.local");
  assert.equal(node.cluster, "web.shop");
  assert.deepEqual(node.locality, { region: "eu", zone: "a" });
  assert.equal(workload.spiffeId, "spiffe://td/ns/shop/sa/web");
  assert.equal(workload.discoveryAddress, "other.istio-system.svc:15012");
  assert.equal(workload.caAddress, "ca.example:1");
  const { PROXY_CONFIG: _config, ARGYLE_FILTERS: filters, ISTIO_VERSION: version, ...metadata } = node.metadata ?? {};
  assert.match(String(filters), /istio\.stats/);
  assert.match(String(version), /^\d+\.\d+/);
  assert.deepEqual(metadata, {
    NAME: "web-1",
    NAMESPACE: "shop",
    INSTANCE_IPS: "10.244.0.5",
    SERVICE_ACCOUNT: "web",
    LABELS: { app: "web", version: "v1", "istio-locality": "eu.a" },
    ANNOTATIONS: { note: 'a "b"' },
    CLUSTER_ID: "Kubernetes",
    WORKLOAD_NAME: "web",
    OWNER: "kubernetes://apis/apps/v1/namespaces/shop/deployments/web",
    A: { b: 1 },
    P: "q",
    HOST_IP: "127.0.0.1",
    ENVOY_STATUS_PORT: 15021,
    ENVOY_PROMETHEUS_PORT: 15090,
    PILOT_SAN: ["istiod.istio-system.svc"],
  });
});

test("a gateway is a router, named by its workload when it has no app label", () => {
  const workload = describeWorkload(
    spec({ POD_NAMESPACE: "istio-system", ISTIO_META_WORKLOAD_NAME: "gw" }, ["proxy", "router"]),
    { labels: "", annotations: "" },
  );
  assert.equal(workload.type, "router");
  assert.equal(workload.node.id, "router~10.244.0.7~10.244.0.7.istio-system~istio-system.svc.cluster.local");
  assert.equal(workload.node.cluster, "gw.istio-system");
  assert.equal(workload.discoveryAddress, "istiod.istio-system.svc:15012");
});

const ttls = [
  { text: undefined, seconds: 86_400 },
  { text: "12h0m0s", seconds: 43_200 },
  { text: "90s", seconds: 90 },
  { text: "soon", seconds: 86_400 },
];
for (const { text, seconds } of ttls) {
  test(`SECRET_TTL ${text} is ${seconds} s`, () => {
    const env: Record<string, string> = text === undefined ? {} : { SECRET_TTL: text };
    assert.equal(describeWorkload(spec(env), files).certificateTtlSeconds, seconds);
  });
}

test("reads downward files line by line", () => {
  assert.deepEqual(parseDownwardFile('a="1"\nb/c="x=y"\n\nbroken\nd="line\\nbreak"'), {
    a: "1",
    "b/c": "x=y",
    d: "line\nbreak",
  });
});
