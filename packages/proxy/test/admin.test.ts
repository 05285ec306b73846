/** The admin pages of a running proxy, as Envoy's clients (istioctl proxy-config, dashboards) read them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminDeps, answerAdmin } from "../src/admin/admin.ts";
import { TYPE_URL } from "../src/resource-sink.ts";
import { createAuthority } from "./authority.ts";
import {
  exchange,
  httpListener,
  replying,
  startProxy,
  startUpstream,
  staticCluster,
  type TestScope,
} from "./harness.ts";

async function start(t: TestScope) {
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], { circuit_breakers: { thresholds: [{ max_connections: 7 }] } })],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }])],
  });
  const secrets = await (await createAuthority()).secrets("spiffe://cluster.local/ns/shop/sa/web");
  h.apply(TYPE_URL.secret, ...secrets);
  await exchange(h.port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", (r) => r.endsWith("ok"));
  let level = "info";
  const quits: string[] = [];
  const deps: AdminDeps = {
    proxy: h.proxy,
    logLevel: {
      get: () => level,
      set(wanted) {
        if (!["debug", "info", "warning"].includes(wanted)) return false;
        level = wanted;
        return true;
      },
    },
    quit: () => void quits.push("quit"),
  };
  const get = (target: string, method = "GET") => answerAdmin(deps, method, target);
  const json = <T>(target: string): T => JSON.parse(get(target).body) as T;
  return { h, upstream, get, json, quits, secrets };
}

interface Dump {
  readonly configs: readonly ({ readonly "@type": string } & Readonly<Record<string, readonly object[]>>)[];
}

test("/config_dump has Envoy's sections and never a private key", async (t) => {
  const { get, json, secrets } = await start(t);
  const text = get("/config_dump?include_eds").body;
  assert.deepEqual(
    json<Dump>("/config_dump?include_eds").configs.map((section) => section["@type"].split(".").at(-1)),
    [
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "EndpointsConfigDump",
      "ListenersConfigDump",
      "RoutesConfigDump",
      "SecretsConfigDump",
    ],
  );
  const [own] = secrets as readonly { tls_certificate?: { private_key: { inline_string: string } } }[];
  const key = own?.tls_certificate?.private_key.inline_string ?? "none";
  assert.ok(key.length > 100);
  assert.ok(!text.includes(Buffer.from(key).toString("base64")) && !text.includes("PRIVATE KEY"));
  assert.ok(text.includes(Buffer.from("[redacted]").toString("base64")));
});

test("/config_dump?resource= gives the entries of one section", async (t) => {
  const { json } = await start(t);
  const dump = json<{ configs: readonly { name: string; active_state: { version_info: string } }[] }>(
    "/config_dump?resource=dynamic_listeners",
  );
  assert.deepEqual(
    dump.configs.map(({ name, active_state }) => [name, active_state.version_info]),
    [["main", "2"]],
  );
});

test("a private key written into a listener is masked too", async (t) => {
  const { h, get } = await start(t);
  const { cert, key } = await (await createAuthority()).issue({ names: [{ type: "dns", value: "x" }] });
  const listener = httpListener([], {}, [], "inline");
  h.apply(TYPE_URL.listener, {
    ...listener,
    filter_chains: [
      {
        ...listener.filter_chains[0],
        transport_socket: {
          name: "tls",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context: {
              tls_certificates: [{ certificate_chain: { inline_string: cert }, private_key: { inline_string: key } }],
            },
          },
        },
      },
    ],
  });
  await h.bindings.settled();
  assert.doesNotMatch(get("/config_dump").body, /PRIVATE KEY/);
});

test("/clusters tells hosts and limits, as text and JSON", async (t) => {
  const { get, json, upstream } = await start(t);
  const host = `127.0.0.1:${upstream.port}`;
  const { body } = get("/clusters");
  for (const line of [
    "a::default_priority::max_connections::7",
    `a::${host}::rq_total::1`,
    `a::${host}::rq_success::1`,
    `a::${host}::cx_active::1`,
    `a::${host}::health_flags::healthy`,
  ])
    assert.ok(body.includes(`${line}\n`), `${line} is not in\n${body}`);
  const [cluster] = json<{ cluster_statuses: readonly { name: string; host_statuses: readonly object[] }[] }>(
    "/clusters?format=json",
  ).cluster_statuses;
  assert.deepEqual([cluster?.name, cluster?.host_statuses.length], ["a", 1]);
});

test("/listeners names each listener and its address", async (t) => {
  const { get, json } = await start(t);
  assert.equal(get("/listeners").body, "main::127.0.0.1:0\n");
  assert.deepEqual(json("/listeners?format=json"), {
    listener_statuses: [{ name: "main", local_address: { socket_address: { address: "127.0.0.1", port_value: 0 } } }],
  });
});

const stats: readonly (readonly [string, RegExp, RegExp | undefined])[] = [
  ["/stats", /^cluster\.a\.upstream_rq_200: 1$/m, undefined],
  ["/stats?filter=upstream_rq_2", /^cluster\.a\.upstream_rq_200: 1\ncluster\.a\.upstream_rq_2xx: 1\n$/, /downstream/],
  ["/stats?usedonly", /^http\.ingress\.downstream_rq_total: 1$/m, /: 0$/m],
  ["/stats?filter=%5Ecluster%5C.a%5C.upstream_rq_time", /^cluster\.a\.upstream_rq_time: P0\(/, undefined],
  ["/stats?format=json&filter=upstream_rq_200", /"name": "cluster\.a\.upstream_rq_200",\s+"value": 1/, undefined],
  ["/stats/prometheus", /^envoy_cluster_upstream_rq\{response_code="200",cluster_name="a"\} 1$/m, undefined],
  ["/stats?format=prometheus", /^# TYPE envoy_cluster_upstream_rq counter$/m, undefined],
  ["/stats/prometheus?filter=rq_total", /^envoy_cluster_upstream_rq_total/m, /upstream_cx/],
];
for (const [target, wanted, unwanted] of stats) {
  test(target, async (t) => {
    const { get } = await start(t);
    const { status, body } = get(target);
    assert.equal(status, 200);
    assert.match(body, wanted);
    if (unwanted !== undefined) assert.doesNotMatch(body, unwanted);
  });
}

test("a filter that is no regular expression is refused", async (t) => {
  const { get } = await start(t);
  assert.equal(get("/stats?filter=%28").status, 400);
});

test("/certs tells names and days, for the chain and its root", async (t) => {
  const { json } = await start(t);
  const [entry] = json<{
    certificates: readonly {
      cert_chain: readonly { subject_alt_names: readonly object[]; days_until_expiration: string }[];
      ca_cert: readonly object[];
    }[];
  }>("/certs").certificates;
  assert.deepEqual(entry?.cert_chain[0]?.subject_alt_names, [{ uri: "spiffe://cluster.local/ns/shop/sa/web" }]);
  assert.equal(entry?.cert_chain[0]?.days_until_expiration, "0");
  assert.equal(entry?.ca_cert.length, 1);
});

test("/logging shows and, by POST alone, changes the level", async (t) => {
  const { get } = await start(t);
  assert.match(get("/logging").body, /proxy: info/);
  assert.equal(get("/logging?level=debug").status, 400);
  assert.match(get("/logging?level=debug", "POST").body, /proxy: debug/);
  assert.equal(get("/logging?level=loud", "POST").status, 400);
  assert.match(get("/logging?http=warning", "POST").body, /proxy: warning/);
});

test("/ready and /server_info agree", async (t) => {
  const { get, json } = await start(t);
  assert.deepEqual([get("/ready").status, get("/ready").body], [200, "LIVE\n"]);
  assert.equal(json<{ state: string }>("/server_info").state, "LIVE");
});

test("/quitquitquit wants POST", async (t) => {
  const { get, quits } = await start(t);
  assert.equal(get("/quitquitquit").status, 405);
  assert.equal(quits.length, 0);
  assert.equal(get("/quitquitquit", "POST").body, "OK\n");
  assert.equal(quits.length, 1);
});

test("an unknown page is 404", async (t) => {
  const { get } = await start(t);
  assert.equal(get("/nope").status, 404);
});
