/** TLS towards an upstream: whose certificate is believed, and a rotated secret under connections that are in use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { eventually } from "@argyle/testkit";
import { TYPE_URL } from "../src/resource-sink.ts";
import { type CertificateOptions, CLIENT_AUTH, createAuthority } from "./authority.ts";
import { exchange, httpListener, startProxy, staticCluster, type TestScope } from "./harness.ts";

const SERVER = "spiffe://cluster.local/ns/shop/sa/server";
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const sds = (name: string) => ({ name, sds_config: { ads: {} } });
type Authority = Awaited<ReturnType<typeof createAuthority>>;

async function start(t: TestScope, authority: Authority, server: { readonly cert: string; readonly key: string }) {
  const peers: { readonly fingerprint: string | undefined; readonly alpn: TLSSocket["alpnProtocol"] }[] = [];
  const offers: string[][] = [];
  const upstream = createServer(
    {
      ...server,
      ca: authority.root,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNCallback: ({ protocols }) => {
        offers.push([...protocols]);
        return protocols[0];
      },
    },
    (socket) => {
      peers.push({ fingerprint: socket.getPeerX509Certificate()?.fingerprint256, alpn: socket.alpnProtocol });
      socket.on("error", () => undefined);
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    },
  );
  upstream.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  t.after(() => upstream.close());
  const address = upstream.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const cluster = staticCluster("a", [port], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: "outbound_.80_._.server",
        common_tls_context: {
          alpn_protocols: ["istio-peer-exchange", "istio"],
          tls_certificate_sds_secret_configs: [sds("default")],
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: SERVER } }],
            },
            validation_context_sds_secret_config: sds("ROOTCA"),
          },
        },
      },
    },
  });
  const listener = (name: string, filters: readonly object[]) =>
    httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], {}, filters, name);
  const alpn = {
    name: "istio.alpn",
    typed_config: {
      "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
      type_url: "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
      value: {
        alpn_override: [{ upstream_protocol: "HTTP11", alpn_override: ["istio-http/1.1", "istio", "http/1.1"] }],
      },
    },
  };
  const h = await startProxy(t, { clusters: [cluster], listeners: [listener("main", []), listener("mesh", [alpn])] });
  const give = async () => {
    const secrets = await authority.secrets("spiffe://cluster.local/ns/shop/sa/client");
    h.apply(TYPE_URL.secret, ...secrets);
  };
  await give();
  const get = (name = "main") =>
    exchange(h.port(name), GET, (r) => r.endsWith("ok") || /^HTTP\/1\.1 503[\s\S]*_end$/.test(r));
  return { h, peers, offers, get, give, port };
}

const uri = (value: string): CertificateOptions["names"] => [{ type: "url", value }];
const servers: readonly {
  readonly name: string;
  readonly certificate: CertificateOptions;
  readonly isForeign?: boolean;
  readonly isBelieved: boolean;
}[] = [
  { name: "the right one", certificate: { names: uri(SERVER) }, isBelieved: true },
  { name: "one with another name", certificate: { names: uri(`${SERVER}2`) }, isBelieved: false },
  {
    name: "the right name of another type",
    certificate: { names: [{ type: "dns", value: "server" }] },
    isBelieved: false,
  },
  { name: "an expired one", certificate: { names: uri(SERVER), isExpired: true }, isBelieved: false },
  { name: "one for clients alone", certificate: { names: uri(SERVER), usages: [CLIENT_AUTH] }, isBelieved: false },
  { name: "one of another authority", certificate: { names: uri(SERVER) }, isForeign: true, isBelieved: false },
  {
    name: "the right name beside one with NUL",
    certificate: { names: [...uri(SERVER), ...uri("spiffe://evil\0.example")] },
    isBelieved: false,
  },
];
for (const c of servers) {
  test(`a server certificate: ${c.name} is ${c.isBelieved ? "believed" : "refused"}`, async (t) => {
    const authority = await createAuthority();
    const issuer = c.isForeign === true ? await createAuthority() : authority;
    const { h, get } = await start(t, authority, await issuer.issue(c.certificate));
    const text = await get();
    if (c.isBelieved) assert.match(text, /^HTTP\/1\.1 200/);
    else {
      assert.match(text, /^HTTP\/1\.1 503[\s\S]*remote connection failure, transport failure reason: TLS_error:/);
      await eventually("log", () => assert.match(h.logs.join(""), /^503 UF /));
    }
  });
}

test("a rotated secret: the open connection goes on, the next one shows the new certificate", async (t) => {
  const authority = await createAuthority();
  const { h, peers, get, give } = await start(t, authority, await authority.issue({ names: uri(SERVER) }));
  await get();
  await give();
  await get();
  assert.equal(peers.length, 1, "the pooled connection was not used again");
  // Another pool: the mesh listener offers another ALPN.
  await get("mesh");
  assert.equal(peers.length, 2);
  assert.notEqual(peers[0]?.fingerprint, peers[1]?.fingerprint);
  assert.match(h.proxy.deps.registry.expose(), /envoy_cluster_upstream_cx_total\{cluster_name="a"\} 2/);
});

test("istio.alpn replaces the cluster's offer, and connections of different offers are not shared", async (t) => {
  const authority = await createAuthority();
  const { offers, get, peers } = await start(t, authority, await authority.issue({ names: uri(SERVER) }));
  for (const name of ["mesh", "main", "mesh", "main"]) await get(name);
  assert.deepEqual(offers, [
    ["istio-http/1.1", "istio", "http/1.1"],
    ["istio-peer-exchange", "istio"],
  ]);
  assert.equal(peers.length, 2);
});
