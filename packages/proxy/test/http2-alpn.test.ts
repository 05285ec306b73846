/** TLS with ALPN on both sides: clients of either protocol on one listener, and an HTTP/2 upstream behind TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { createAuthority } from "./authority.ts";
import { httpListener, startProxy, staticCluster } from "./harness.ts";
import { ask, connectHttp2, http2Options } from "./http2-client.ts";

const tls = (side: "Downstream" | "Upstream", common: object) => ({
  transport_socket: {
    name: "tls",
    typed_config: {
      "@type": `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`,
      common_tls_context: common,
    },
  },
});

async function start(t: TestContext) {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue({ names: [{ type: "dns", value: "shop.example" }] });
  const offers: (string | false | null)[] = [];
  const upstream = http2.createSecureServer({ cert, key });
  upstream.on("session", (session) => {
    offers.push(session.socket && "alpnProtocol" in session.socket ? session.socket.alpnProtocol : null);
    t.after(() => session.destroy());
  });
  upstream.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200, "x-scheme": String(headers[":scheme"]) });
    stream.end("ok");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  t.after(() => upstream.close());
  const inline = { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } };
  const listener = httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }]);
  const [chain] = listener.filter_chains;
  const h = await startProxy(t, {
    clusters: [
      staticCluster("a", [(upstream.address() as AddressInfo).port], {
        ...http2Options(),
        ...tls("Upstream", { validation_context: { trusted_ca: { inline_string: authority.root } } }),
      }),
    ],
    listeners: [
      {
        ...listener,
        filter_chains: [
          {
            ...chain,
            ...tls("Downstream", { alpn_protocols: ["h2", "http/1.1"], tls_certificates: [inline] }),
          },
        ],
      },
    ],
  });
  return { port: h.port(), ca: authority.root, offers };
}

test("ALPN h2, http/1.1 and none on one listener; an upstream without a list of its own is offered h2", async (t) => {
  const { port, ca, offers } = await start(t);
  const options = { ca, servername: "shop.example" };
  const session = await connectHttp2(t, port, options);
  assert.equal(session.alpnProtocol, "h2");
  const answer = await ask(session);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["x-scheme"], "https");
  const status = await new Promise<string>((resolve, reject) => {
    const request = get({ ...options, host: "127.0.0.1", port, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(`${response.httpVersion} ${response.statusCode}`));
    });
    request.on("error", reject);
  });
  assert.equal(status, "1.1 200");
  // Without ALPN the first bytes decide, as on a plain connection.
  const socket = connect({ ...options, host: "127.0.0.1", port });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.match(first.toString("latin1"), /^HTTP\/1\.1 200 OK\r\n/);
  assert.deepEqual(offers, ["h2"]);
});
