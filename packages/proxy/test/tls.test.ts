/** TLS at listeners: whose certificate is let in, rotation while connections live, sessions, chains chosen by server name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { eventually } from "@argyle/testkit";
import { TYPE_URL } from "../src/resource-sink.ts";
import { type CertificateOptions, CLIENT_AUTH, createAuthority, SERVER_AUTH } from "./authority.ts";
import { httpListener, replying, startProxy, startUpstream, staticCluster, type TestScope } from "./harness.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
const CLIENT = "spiffe://cluster.local/ns/shop/sa/client";
const sds = (name: string) => ({ name, sds_config: { ads: {} } });
const downstreamTls = (context: object, common: object = {}) => ({
  name: "tls",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    common_tls_context: { tls_certificate_sds_secret_configs: [sds("default")], ...common },
    ...context,
  },
});
const CLIENT_CHECKED = {
  combined_validation_context: {
    default_validation_context: {},
    validation_context_sds_secret_config: sds("ROOTCA"),
  },
};

interface Seen {
  readonly socket: TLSSocket;
  readonly got: { text: string; error: string; isEnded: boolean };
  session: Buffer | undefined;
}

function dial(t: TestScope, port: number, options: ConnectionOptions): Promise<Seen> {
  return new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      servername: "shop.example",
      rejectUnauthorized: false,
      ...options,
    });
    const seen: Seen = { socket, got: { text: "", error: "", isEnded: false }, session: undefined };
    socket.on("session", (session) => {
      seen.session = session;
    });
    socket.on("data", (chunk) => {
      seen.got.text += chunk.toString("latin1");
    });
    socket.on("error", (error) => {
      seen.got.error = error.message;
      resolve(seen);
    });
    socket.on("close", () => {
      seen.got.isEnded = true;
      resolve(seen);
    });
    socket.once("secureConnect", () => {
      socket.write(GET);
      resolve(seen);
    });
    t.after(() => socket.destroy());
  });
}

async function startTls(t: TestScope, transport: object, common: object = {}) {
  const authority = await createAuthority();
  const upstream = await startUpstream(t, replying(OK));
  const listener = httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], {
    forward_client_cert_details: "SANITIZE_SET",
    set_current_client_cert_details: { uri: true },
  });
  const [chain] = listener.filter_chains;
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [{ ...listener, filter_chains: [{ ...chain, transport_socket: downstreamTls(transport, common) }] }],
  });
  const secrets = await authority.secrets("spiffe://cluster.local/ns/shop/sa/shop");
  h.apply(TYPE_URL.secret, ...secrets);
  await h.bindings.settled();
  return { h, authority, upstream, secrets };
}

const uri = (value: string): CertificateOptions["names"] => [{ type: "url", value }];
const clients: readonly {
  readonly name: string;
  readonly certificate: CertificateOptions | undefined;
  readonly isForeign?: boolean;
  readonly isOptional?: boolean;
  readonly isLetIn: boolean;
}[] = [
  { name: "a good one", certificate: { names: uri(CLIENT) }, isLetIn: true },
  { name: "none", certificate: undefined, isLetIn: false },
  { name: "none where it is optional", certificate: undefined, isOptional: true, isLetIn: true },
  { name: "one of another authority", certificate: { names: uri(CLIENT) }, isForeign: true, isLetIn: false },
  {
    name: "one of another authority where it is optional",
    certificate: { names: uri(CLIENT) },
    isForeign: true,
    isOptional: true,
    isLetIn: false,
  },
  { name: "an expired one", certificate: { names: uri(CLIENT), isExpired: true }, isLetIn: false },
  { name: "one for servers alone", certificate: { names: uri(CLIENT), usages: [SERVER_AUTH] }, isLetIn: false },
  { name: "one for clients alone", certificate: { names: uri(CLIENT), usages: [CLIENT_AUTH] }, isLetIn: true },
  { name: "one with NUL in its name", certificate: { names: uri(`${CLIENT}\0.evil`) }, isLetIn: false },
  {
    name: "one with a forged second name in its first",
    certificate: { names: uri(`x, URI:${CLIENT}`) },
    isLetIn: false,
  },
];
for (const c of clients) {
  test(`a client certificate: ${c.name} is ${c.isLetIn ? "let in" : "refused"}`, async (t) => {
    const { h, authority, upstream } = await startTls(
      t,
      { require_client_certificate: c.isOptional !== true },
      CLIENT_CHECKED,
    );
    const issuer = c.isForeign === true ? await createAuthority() : authority;
    const pair = c.certificate === undefined ? {} : await issuer.issue(c.certificate);
    const { got } = await dial(t, h.port(), pair);
    if (c.isLetIn) {
      await eventually("answer", () => assert.match(got.text, /^HTTP\/1\.1 200/));
      const forwarded = upstream.received[0] ?? "";
      if (c.certificate === undefined) assert.doesNotMatch(forwarded, /x-forwarded-client-cert/i);
      else
        assert.match(forwarded, /x-forwarded-client-cert: .*URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/client\r\n/i);
      return;
    }
    await eventually("cut", () => assert.equal(got.isEnded, true));
    assert.equal(got.text, "");
    assert.deepEqual(upstream.received, []);
    assert.match(h.proxy.deps.registry.expose(), /envoy_listener_ssl_connection_error\{[^}]*\} 1/);
  });
}

test("a rotated secret: open connections go on, new ones show the new certificate", async (t) => {
  const { h, authority } = await startTls(t, { require_client_certificate: true }, CLIENT_CHECKED);
  const pair = await authority.issue({ names: uri(CLIENT) });
  const old = await dial(t, h.port(), pair);
  await eventually("first answer", () => assert.match(old.got.text, /ok$/));
  const before = old.socket.getPeerX509Certificate()?.fingerprint256;
  h.apply(TYPE_URL.secret, ...(await authority.secrets("spiffe://cluster.local/ns/shop/sa/shop")));
  old.socket.write(GET);
  await eventually("second answer", () => assert.equal(old.got.text.split("HTTP/1.1 200").length, 3));
  assert.equal(old.got.isEnded, false);
  const fresh = await dial(t, h.port(), pair);
  await eventually("answer", () => assert.match(fresh.got.text, /ok$/));
  assert.notEqual(fresh.socket.getPeerX509Certificate()?.fingerprint256, before);
});

test("a session is resumed with the client's identity; one of a replaced certificate is not", async (t) => {
  const { h, authority, upstream } = await startTls(t, { require_client_certificate: true }, CLIENT_CHECKED);
  const pair = await authority.issue({ names: uri(CLIENT) });
  const first = await dial(t, h.port(), pair);
  await eventually("ticket", () => assert.ok(first.session !== undefined && /ok$/.test(first.got.text)));
  const session = first.session;
  assert.ok(session !== undefined);
  const second = await dial(t, h.port(), { ...pair, session });
  await eventually("answer", () => assert.match(second.got.text, /ok$/, second.got.error));
  assert.equal(second.socket.isSessionReused(), true);
  assert.match(upstream.received.join(""), /(x-forwarded-client-cert: .*sa\/client\r\n[\s\S]*){2}/i);
  h.apply(TYPE_URL.secret, ...(await authority.secrets("spiffe://cluster.local/ns/shop/sa/shop")));
  const third = await dial(t, h.port(), { ...pair, session });
  await eventually("answer", () => assert.match(third.got.text, /ok$/, third.got.error));
  assert.equal(third.socket.isSessionReused(), false);
});

test("the server name chooses the chain: exact, wildcard, the rest; passthrough leaves TLS to the upstream", async (t) => {
  const authority = await createAuthority();
  const names = ["exact", "wild", "passed"];
  const upstreams = await Promise.all(
    names.slice(0, 2).map((name) => startUpstream(t, replying(OK.replace("ok", name.slice(0, 2))))),
  );
  // The upstream of passthrough is a proxy of its own that ends TLS.
  const inner = await startTls(t, {});
  const listener = httpListener([]);
  const chainTo = (cluster: string, server_names: readonly string[]) => ({
    ...httpListener([{ match: { prefix: "/" }, route: { cluster } }]).filter_chains[0],
    filter_chain_match: { server_names },
    transport_socket: downstreamTls({}),
  });
  const h = await startProxy(t, {
    clusters: [
      ...names.slice(0, 2).map((name, i) => staticCluster(name, [upstreams[i]?.port ?? 0])),
      staticCluster("passed", [inner.h.port()]),
    ],
    listeners: [
      {
        ...listener,
        listener_filters: [
          {
            name: "tls",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            },
          },
        ],
        filter_chains: [
          chainTo("exact", ["shop.example"]),
          chainTo("wild", ["*.example"]),
          {
            filter_chain_match: { server_names: ["passed.test"] },
            filters: [
              {
                name: "tcp",
                typed_config: {
                  "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                  stat_prefix: "passed",
                  cluster: "passed",
                },
              },
            ],
          },
        ],
      },
    ],
  });
  h.apply(TYPE_URL.secret, ...(await authority.secrets("spiffe://cluster.local/ns/shop/sa/outer")));
  await h.bindings.settled();
  for (const [servername, body, principal] of [
    ["shop.example", "ex", "outer"],
    ["SHOP.example", "ex", "outer"],
    ["a.example", "wi", "outer"],
    ["passed.test", "ok", "shop"],
  ] as const) {
    const { socket, got } = await dial(t, h.port(), { servername });
    await eventually(servername, () => assert.match(got.text, new RegExp(`${body}$`)));
    assert.match(socket.getPeerX509Certificate()?.subjectAltName ?? "", new RegExp(`/sa/${principal}$`));
  }
  const { got } = await dial(t, h.port(), { servername: "unknown.test" });
  await eventually("no chain", () => assert.ok(got.isEnded && got.text === ""));
});
