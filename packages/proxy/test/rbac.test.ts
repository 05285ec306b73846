/** Access control on real sockets: HTTP requests and TCP connections that policies refuse, what the log and the counters say, and dry runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import {
  bodyOf,
  exchange,
  httpListener,
  replying,
  startProxy,
  startUpstream,
  staticCluster,
  type TestScope,
} from "./harness.ts";

const ANY = [{ any: true }];
const denyPath = (path: string) => ({
  action: "DENY",
  policies: { "ns[a]-policy[b]-rule[0]": { permissions: [{ url_path: { path: { exact: path } } }], principals: ANY } },
});

async function startHttp(t: TestScope, config: object) {
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  const filter = {
    name: "envoy.filters.http.rbac",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", ...config },
  };
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], {}, [filter])],
  });
  const get = (path: string, headers = "") =>
    exchange(h.port(), `GET ${path} HTTP/1.1\r\nHost: s\r\n${headers}\r\n`, (text) => text.includes("\r\n\r\n"));
  return { h, get, upstream };
}

test("a request that a policy denies is answered 403, and nothing of it goes on", async (t) => {
  const { h, get, upstream } = await startHttp(t, { rules: denyPath("/admin") });
  const denied = await get("/admin?x=1");
  assert.match(denied, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.equal(bodyOf(denied), "RBAC: access denied");
  assert.deepEqual(upstream.received, []);
  assert.match(await get("/"), /^HTTP\/1\.1 200/);
  await eventually("log", () =>
    assert.match(h.logs[0] ?? "", /^403 - rbac_access_denied_matched_policy\[ns\[a\]-policy\[b\]-rule\[0\]\] /),
  );
  const text = h.proxy.deps.registry.expose();
  assert.match(text, /envoy_http_rbac_denied\{envoy_http_conn_manager_prefix="ingress"\} 1\n/);
  assert.match(text, /envoy_http_rbac_allowed\{envoy_http_conn_manager_prefix="ingress"\} 1\n/);
});

test("whom no ALLOW policy names is denied", async (t) => {
  const { h, get } = await startHttp(t, { rules: { ...denyPath("/public"), action: "ALLOW" } });
  assert.match(await get("/public"), /^HTTP\/1\.1 200/);
  assert.match(await get("/"), /^HTTP\/1\.1 403/);
  await eventually("log", () => assert.match(h.logs[1] ?? "", /rbac_access_denied_matched_policy\[none\]/));
});

test("a gRPC call that is denied gets PERMISSION_DENIED", async (t) => {
  const { get } = await startHttp(t, { rules: denyPath("/a.B/C") });
  const answer = await get("/a.B/C", "content-type: application/grpc\r\n");
  assert.match(answer, /^HTTP\/1\.1 200/);
  assert.match(answer, /grpc-status: 7\r\n/i);
});

test("shadow rules are counted and refuse nobody", async (t) => {
  const { h, get } = await startHttp(t, {
    shadow_rules: denyPath("/admin"),
    shadow_rules_stat_prefix: "istio_dry_run_deny_",
  });
  assert.match(await get("/admin"), /^HTTP\/1\.1 200/);
  const text = h.proxy.deps.registry.expose();
  assert.match(text, /envoy_http_rbac_istio_dry_run_deny_shadow_denied\{[^}]*\} 1\n/);
});

test("a TCP connection that is denied ends without a byte either way", async (t) => {
  const upstream = await startUpstream(t, (_received, socket) => socket.write("hello"));
  const rbac = {
    name: "envoy.filters.network.rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
      stat_prefix: "tcp.",
      rules: {
        action: "DENY",
        policies: {
          all: {
            permissions: ANY,
            principals: [{ direct_remote_ip: { address_prefix: "127.0.0.1", prefix_len: 8 } }],
          },
        },
      },
    },
  };
  const listener = {
    name: "denied",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          rbac,
          {
            name: "tcp",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
              stat_prefix: "a",
              cluster: "a",
              access_log: [
                {
                  name: "file",
                  typed_config: {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    path: "/dev/stdout",
                    log_format: { text_format_source: { inline_string: "%CONNECTION_TERMINATION_DETAILS%\n" } },
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [listener],
  });
  assert.match(await exchange(h.port("denied"), "hi"), /^(<ECONNRESET>)?$/);
  assert.equal(upstream.connections(), 0);
  assert.deepEqual(h.logs, ["rbac_access_denied_matched_policy[all]\n"]);
  assert.match(h.proxy.deps.registry.expose(), /envoy_tcp_rbac_denied 1\n/);
});
