/** Requests and connections that are bound to a host by what they carry, through a whole proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, exchange, httpListener, startProxy, startUpstream, staticCluster, type TestScope } from "./harness.ts";

/** Three upstreams that answer with their own number. */
async function startHosts(t: TestScope): Promise<readonly number[]> {
  const hosts = await Promise.all(
    [0, 1, 2].map((index) =>
      startUpstream(t, (received, socket, connection) => {
        if (!received.includes("\r\n\r\n")) return;
        connection.bytes = "";
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${index}`);
      }),
    ),
  );
  return hosts.map(({ port }) => port);
}

async function answersOf(port: number, headers: string, path = "/", times = 6): Promise<readonly string[]> {
  const out: string[] = [];
  for (let i = 0; i < times; i++)
    out.push(
      await exchange(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`, (text) => /\r\n\r\n\d$/.test(text)),
    );
  return out;
}

const POLICIES = [
  { lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 1024 } },
  { lb_policy: "MAGLEV", maglev_lb_config: { table_size: 1021 } },
  {
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: "maglev",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
              table_size: 1021,
            },
          },
        },
      ],
    },
  },
] as const;

for (const policy of POLICIES) {
  const name = "lb_policy" in policy ? policy.lb_policy : "load_balancing_policy";
  test(`${name}: a header binds requests to a host, whatever connection they come by`, async (t) => {
    const ports = await startHosts(t);
    const hash_policy = [{ header: { header_name: "x-user" } }];
    const h = await startProxy(t, {
      clusters: [staticCluster("a", ports, policy)],
      listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a", hash_policy } }])],
    });
    const seen = new Set<string>();
    for (let user = 0; user < 12; user++) {
      const hosts = new Set((await answersOf(h.port(), `x-user: u${user}\r\n`, "/", 4)).map(bodyOf));
      assert.equal(hosts.size, 1);
      for (const host of hosts) seen.add(host);
    }
    assert.ok(seen.size > 1, "all users went to one host");
    const free = new Set((await answersOf(h.port(), "", "/", 30)).map(bodyOf));
    assert.ok(free.size > 1, "requests without the header are spread");
  });
}

test("a client without the cookie is given one, and stays where it was", async (t) => {
  const ports = await startHosts(t);
  const hash_policy = [{ cookie: { name: "shop", ttl: "3600s", path: "/" } }];
  const h = await startProxy(t, {
    clusters: [staticCluster("a", ports, { lb_policy: "RING_HASH" })],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a", hash_policy } }])],
  });
  for (let client = 0; client < 5; client++) {
    const [first = ""] = await answersOf(h.port(), "", "/", 1);
    const [, cookie = ""] = /set-cookie: (shop="[0-9a-f]+"); Max-Age=3600; Path=\/; HttpOnly\r\n/i.exec(first) ?? [];
    assert.notEqual(cookie, "", first);
    for (const answer of await answersOf(h.port(), `cookie: ${cookie}\r\n`)) {
      assert.equal(bodyOf(answer), bodyOf(first));
      assert.doesNotMatch(answer, /set-cookie/i);
    }
  }
});

test("TCP connections of one client go to one host", async (t) => {
  const ports = await startHosts(t);
  const listener = {
    name: "main",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: "tcp",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
              stat_prefix: "a",
              cluster: "a",
              hash_policy: [{ source_ip: {} }],
            },
          },
        ],
      },
    ],
  };
  const h = await startProxy(t, {
    clusters: [staticCluster("a", ports, { lb_policy: "MAGLEV" })],
    listeners: [listener],
  });
  assert.equal(new Set((await answersOf(h.port(), "", "/", 12)).map(bodyOf)).size, 1);
});

test("a Maglev table of a size that is no prime is refused", async (t) => {
  await assert.rejects(
    startProxy(t, {
      clusters: [staticCluster("a", [1], { lb_policy: "MAGLEV", maglev_lb_config: { table_size: 1000 } })],
      listeners: [],
    }),
    /must be prime/,
  );
});
