/** TLS towards hosts outside the mesh without a server name in the rule: each request brings its own, and the peer must bear it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "node:tls";
import { createAuthority } from "./authority.ts";
import { bodyOf, exchange, httpListener, startProxy, staticCluster, type TestScope } from "./harness.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

async function start(t: TestScope, options: { readonly checked: boolean; readonly validation?: object }) {
  const authority = await createAuthority();
  const served = await authority.issue({ names: [{ type: "dns", value: "*.example.com" }] });
  const asked: (string | false | null)[] = [];
  const offers: string[] = [];
  const offer = (protocols: readonly string[]) => {
    offers.push(protocols.join());
    return protocols[0];
  };
  const upstream = createServer({ ...served, ALPNCallback: ({ protocols }) => offer(protocols) }, (socket) => {
    asked.push(socket.servername);
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  });
  upstream.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  t.after(() => upstream.close());
  const address = upstream.address();
  const cluster = staticCluster("a", [typeof address === "object" && address !== null ? address.port : 0], {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        upstream_http_protocol_options: { auto_sni: true, auto_san_validation: options.checked },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: {
          validation_context: { trusted_ca: { inline_string: authority.root }, ...options.validation },
        },
      },
    },
  });
  const h = await startProxy(t, {
    clusters: [cluster],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }])],
  });
  const get = (host: string) =>
    exchange(
      h.port(),
      `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      (text) => text.endsWith("ok") || /^HTTP\/1\.1 503[\s\S]*_end$/.test(text),
    );
  return { get, asked, offers };
}

test("the host of a request is its server name; connections of different names are not shared", async (t) => {
  const { get, asked } = await start(t, { checked: true });
  for (const host of ["a.example.com", "b.example.com:8443", "a.example.com"])
    assert.equal(bodyOf(await get(host)), "ok");
  assert.deepEqual(asked, ["a.example.com", "b.example.com"]);
});

test("TLS without an ALPN of its own offers what is spoken", async (t) => {
  const { get, offers } = await start(t, { checked: false });
  await get("a.example.com");
  assert.deepEqual(offers, ["http/1.1"]);
});

test("a peer that does not bear the name of the request is refused", async (t) => {
  const { get } = await start(t, { checked: true });
  assert.match(await get("a.b.example.com"), /^HTTP\/1\.1 503[\s\S]*verify SAN list/);
  assert.match(await get("example.org"), /^HTTP\/1\.1 503/);
});

test("names that are not checked are only asked for", async (t) => {
  const { get, asked } = await start(t, { checked: false });
  assert.equal(bodyOf(await get("example.org")), "ok");
  assert.deepEqual(asked, ["example.org"]);
});

test("a certificate of another hash is refused", async (t) => {
  const { get } = await start(t, {
    checked: false,
    validation: { verify_certificate_hash: [`${"AA:".repeat(31)}AA`] },
  });
  assert.match(await get("a.example.com"), /^HTTP\/1\.1 503[\s\S]*verify cert hash/);
});
