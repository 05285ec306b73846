/** Listeners and clusters under TCP: PROXY header, connection limits, DNS that fails, listeners that are replaced, TLS passed by server name. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { TYPE_URL } from "../src/resource-sink.ts";
import {
  exchange,
  httpListener,
  replying,
  startProxy,
  startUpstream,
  staticCluster,
  type TestScope,
} from "./harness.ts";

const TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const LOG = {
  name: "file",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path: "/dev/stdout",
    log_format: {
      text_format_source: { inline_string: "%RESPONSE_FLAGS% %DOWNSTREAM_REMOTE_ADDRESS% %UPSTREAM_CLUSTER%\n" },
    },
  },
};

const tcpFilter = (cluster: string, extra: object = {}) => ({
  name: "tcp",
  typed_config: { "@type": TCP_PROXY, stat_prefix: cluster, cluster, access_log: [LOG], ...extra },
});

function tcpListener(cluster: string, extra: object = {}, proxy: object = {}) {
  return {
    name: "main",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [{ filters: [tcpFilter(cluster, proxy)] }],
    ...extra,
  };
}

const PROXY_FILTER = (extra: object = {}) => ({
  listener_filters: [
    {
      name: "envoy.filters.listener.proxy_protocol",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        ...extra,
      },
    },
  ],
});

function open(t: TestScope, port: number): Promise<{ socket: Socket; seen: { text: string; isEnded: boolean } }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const seen = { text: "", isEnded: false };
    socket.on("data", (chunk) => {
      seen.text += chunk.toString("latin1");
    });
    socket.on("close", () => {
      seen.isEnded = true;
    });
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    socket.once("connect", () => resolve({ socket, seen }));
  });
}

const echo = (received: string, socket: Socket, connection: { bytes: string }) => {
  connection.bytes = "";
  socket.write(`echo ${received}`);
};

const proxied: readonly {
  readonly name: string;
  readonly sent: readonly string[];
  readonly options?: object;
  readonly answer: string;
  readonly log?: string;
}[] = [
  {
    name: "gives the client's address",
    sent: ["PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\nhello"],
    answer: "echo hello",
    log: "- 203.0.113.9:4711 a\n",
  },
  {
    name: "may come byte by byte",
    sent: [..."PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n", "hello"],
    answer: "echo hello",
    log: "- 203.0.113.9:4711 a\n",
  },
  { name: "is required", sent: ["hello"], answer: "" },
  {
    name: "may be absent where that is allowed",
    sent: ["hello"],
    options: { allow_requests_without_proxy_protocol: true },
    answer: "echo hello",
  },
  { name: "must be right", sent: ["PROXY TCP4 nobody 10.0.0.1 4711 80\r\nhello"], answer: "" },
];
for (const c of proxied) {
  test(`the PROXY header ${c.name}`, async (t) => {
    const upstream = await startUpstream(t, echo);
    const h = await startProxy(t, {
      clusters: [staticCluster("a", [upstream.port])],
      listeners: [tcpListener("a", PROXY_FILTER(c.options))],
    });
    const text = await exchange(h.port(), c.sent, (r) => r === c.answer);
    assert.equal(text.replace(/<.*>/, ""), c.answer);
    if (c.log !== undefined) await eventually("log", () => assert.deepEqual(h.logs, [c.log]));
    if (c.answer === "") assert.match(h.proxy.deps.registry.expose(), /downstream_cx_proxy_proto_error\{[^}]*\} 1/);
  });
}

test("TCP connections over max_connections are refused with UO and counted, and room is given back", async (t) => {
  const upstream = await startUpstream(t, echo);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], { circuit_breakers: { thresholds: [{ max_connections: 1 }] } })],
    listeners: [tcpListener("a")],
  });
  const first = await open(t, h.port());
  first.socket.write("1");
  await eventually("first", () => assert.equal(first.seen.text, "echo 1"));
  const second = await open(t, h.port());
  await eventually("refused", () => assert.equal(second.seen.isEnded, true));
  assert.match(h.logs.join(""), /^UO /m);
  assert.match(h.proxy.deps.registry.expose(), /envoy_cluster_upstream_cx_overflow\{cluster_name="a"\} 1/);
  first.socket.destroy();
  await eventually("room again", async () => {
    const third = await open(t, h.port());
    third.socket.write("3");
    await eventually("third", () => assert.equal(third.seen.text, "echo 3"), 500);
  });
});

test("an idle TCP connection is closed", async (t) => {
  const upstream = await startUpstream(t, echo);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [tcpListener("a", {}, { idle_timeout: "0.2s" })],
  });
  const client = await open(t, h.port());
  client.socket.write("x");
  await eventually("closed", () => assert.deepEqual(client.seen, { text: "echo x", isEnded: true }));
});

test("a TCP connection ends at its longest duration, however busy, with DT", async (t) => {
  const upstream = await startUpstream(t, echo);
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [tcpListener("a", {}, { max_downstream_connection_duration: "0.2s" })],
  });
  const client = await open(t, h.port());
  const busy = setInterval(() => client.socket.write("x"), 20);
  t.after(() => clearInterval(busy));
  await eventually("closed", () => assert.equal(client.seen.isEnded, true));
  await eventually("log", () => assert.match(h.logs.join(""), /^DT /));
});

test("a replaced listener's connections count until they end, and new ones go by the new configuration", async (t) => {
  const upstream = await startUpstream(t, echo);
  const other = await startUpstream(t, (_received, socket) => socket.write("other"));
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port]), staticCluster("b", [other.port])],
    listeners: [tcpListener("a")],
  });
  const old = await open(t, h.port());
  old.socket.write("1");
  await eventually("old", () => assert.equal(old.seen.text, "echo 1"));
  h.apply(TYPE_URL.listener, tcpListener("b"));
  assert.equal(
    [...h.proxy.listeners.active.values()].reduce((sum, l) => sum + l.connections, 0),
    0,
  );
  assert.equal(h.proxy.listeners.connections, 1);
  assert.equal(await exchange(h.port(), "2", (r) => r === "other"), "other");
  old.socket.write("3");
  await eventually("still served", () => assert.equal(old.seen.text, "echo 1echo 3"));
  old.socket.destroy();
  await eventually("gone", () => assert.equal(h.proxy.listeners.connections, 0));
});

test("a name that is not found: told once, counted each time, kept hosts go on", async (t) => {
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  const dns = { answer: ["127.0.0.1"] as readonly string[] | undefined };
  const warnings: string[] = [];
  const cluster = {
    ...staticCluster("a", []),
    type: "STRICT_DNS",
    dns_refresh_rate: "0.05s",
    load_assignment: {
      cluster_name: "a",
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: "app.example", port_value: upstream.port } } } },
          ],
        },
      ],
    },
  };
  const h = await startProxy(
    t,
    {
      clusters: [cluster],
      listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }])],
    },
    {},
    {
      resolveName: async (name) => {
        if (dns.answer === undefined) throw new Error(`no such name ${name}`);
        return dns.answer;
      },
      onWarning: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    },
  );
  const stat = (name: string) =>
    Number(new RegExp(`^envoy_cluster_${name}\\{[^}]*\\} (\\d+)`, "m").exec(h.proxy.deps.registry.expose())?.[1]);
  const get = () => exchange(h.port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", (r) => r.endsWith("ok"));
  await eventually("warm", () => assert.equal(stat("membership_total"), 1));
  assert.match(await get(), /^HTTP\/1\.1 200/);
  dns.answer = undefined;
  await eventually("failures", () => assert.ok(stat("update_failure") >= 3));
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0] ?? "", /DNS resolution failed.*"cluster":"a","name":"app\.example".*no such name/);
  assert.match(await get(), /^HTTP\/1\.1 200/);
  dns.answer = ["127.0.0.2", "127.0.0.3"];
  await eventually("found again", () => assert.equal(stat("membership_total"), 2));
  dns.answer = undefined;
  await eventually("told again", () => assert.equal(warnings.length, 2));
});
