/** A Gateway's secret that does not exist: who needs it fails, its neighbours are served, and it is in use as soon as it comes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:tls";
import { TYPE_URL } from "../src/resource-sink.ts";
import { createAuthority } from "./authority.ts";
import { httpListener, replying, startProxy, startUpstream, staticCluster } from "./harness.ts";

const chain = (host: string, secret: string) => ({
  filter_chain_match: { server_names: [host] },
  filters: httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }]).filter_chains[0]?.filters,
  transport_socket: {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: { tls_certificate_sds_secret_configs: [{ name: secret, sds_config: { ads: {} } }] },
    },
  },
});

function fingerprintOf(port: number, servername: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
      socket.destroy();
    });
    socket.on("error", () => resolve("refused"));
  });
}

test("a secret that does not exist does not hold up its listener", async (t) => {
  const authority = await createAuthority();
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const listener = {
    name: "main",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    listener_filters: [
      {
        name: "tls_inspector",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
      },
    ],
    filter_chains: [chain("here.test", "kubernetes://here"), chain("gone.test", "kubernetes://gone")],
  };
  const h = await startProxy(t, { clusters: [staticCluster("a", [upstream.port])], listeners: [listener] });
  const give = async (name: string) => {
    const { cert, key } = await authority.issue({ names: [{ type: "dns", value: "x.test" }] });
    h.apply(TYPE_URL.secret, {
      name,
      tls_certificate: { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } },
    });
  };
  await give("kubernetes://here");
  assert.equal(h.proxy.runtime.listeners.size, 0, "warming: nobody has said that the other does not exist");
  h.proxy.runtime.apply(TYPE_URL.secret, [], ["kubernetes://gone"]);
  await h.bindings.settled();
  const first = await fingerprintOf(h.port(), "here.test");
  assert.match(first, /^[0-9A-F:]+$/);
  assert.equal(await fingerprintOf(h.port(), "gone.test"), "refused");

  await give("kubernetes://gone");
  assert.match(await fingerprintOf(h.port(), "gone.test"), /^[0-9A-F:]+$/);
  await give("kubernetes://here");
  const renewed = await fingerprintOf(h.port(), "here.test");
  assert.notEqual(renewed, first);
  h.proxy.runtime.apply(TYPE_URL.secret, [], ["kubernetes://here"]);
  assert.equal(await fingerprintOf(h.port(), "here.test"), renewed, "a secret that was deleted stays in use");
});
