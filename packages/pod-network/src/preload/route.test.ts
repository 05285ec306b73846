import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";
import type { PreloadConfig } from "./config.ts";
import { mapPath } from "./patch-files.ts";
import { privateNode } from "./private-node.ts";
import { createRouter, type Route } from "./route.ts";

const config: PreloadConfig = {
  preloadFile: "/run/10.244.0.9/preload.cjs",
  runDir: "/run",
  podDir: "/run/10.244.0.9",
  podIP: "10.244.0.9",
  podName: "web-1",
  namespace: "shop",
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/12",
  volumeMounts: [],
  loadBalancerPorts: { "8081": "10.96.0.77" },
  includeOutboundIPRanges: ["*"],
  excludeOutboundIPRanges: [],
  includeOutboundPorts: [],
  excludeOutboundPorts: [],
};
const FILES = new Set(["/run/10.244.0.9/3000.sock", "/run/10.244.0.7/in.sock"]);
const NAMES: Readonly<Record<string, string>> = {
  "db.shop": "10.96.0.5\n",
  "pods.shop": "10.244.0.7\n",
  "empty.shop": "",
};

const captured = (ip: string, port: number, authority?: string): Route => ({
  kind: "socket",
  path: "/run/10.244.0.9/out.sock",
  peer: { ip, port },
  header: authority === undefined ? { destination: { ip, port } } : { destination: { ip, port }, authority },
});
const plain = (path: string, ip: string, port: number): Extract<Route, { kind: "socket" }> => ({
  kind: "socket",
  path,
  peer: { ip, port },
});
const own = (port: number, ip = "127.0.0.1"): Route => plain(`/run/10.244.0.9/${port}.sock`, ip, port);
const HOST: Route = { kind: "host" };

const cases: readonly [string, string, number, Route, Partial<PreloadConfig>?][] = [
  ["a Service", "db", 5432, captured("10.96.0.5", 5432, "db")],
  [
    "a Service in another case, with a dot",
    "DB.shop.SVC.cluster.local.",
    80,
    captured("10.96.0.5", 80, "db.shop.svc.cluster.local"),
  ],
  ["an external name", "example.org", 443, captured("0.0.0.0", 443, "example.org")],
  ["an external address", "8.8.8.8", 53, captured("8.8.8.8", 53)],
  ["another pod's address", "10.244.0.7", 80, captured("10.244.0.7", 80)],
  ["a cluster name that does not exist", "x.shop.svc.cluster.local", 80, { kind: "not-found" }],
  ["a Service without endpoints of its own", "empty", 80, { kind: "not-found" }],
  ["localhost, where the pod listens", "localhost", 3000, own(3000)],
  ["::1, where the pod listens", "::1", 3000, own(3000)],
  ["0.0.0.0 is this machine", "0.0.0.0", 3000, own(3000)],
  ["localhost, where nobody listens", "127.0.0.1", 4000, HOST],
  ["localhost on the port of a LoadBalancer Service", "127.0.0.1", 8081, captured("10.96.0.77", 8081)],
  ["the pod's own address always stays in the pod", "10.244.0.9", 4000, own(4000, "10.244.0.9")],
  ["the pod's own name", "web-1", 3000, own(3000, "10.244.0.9")],
  [
    "a name that only looks like localhost",
    "127.0.0.1.example.org",
    3000,
    captured("0.0.0.0", 3000, "127.0.0.1.example.org"),
  ],
  [
    "an excluded port to a Service",
    "db",
    5432,
    plain("/run/10.96.0.5/5432.sock", "10.96.0.5", 5432),
    { excludeOutboundPorts: [5432] },
  ],
  [
    "an excluded port to a pod with a proxy: its door stays in.sock",
    "pods",
    80,
    { ...plain("/run/10.244.0.7/in.sock", "10.244.0.7", 80), header: { destination: { ip: "10.244.0.7", port: 80 } } },
    { excludeOutboundPorts: [80] },
  ],
  ["an excluded port to the world", "8.8.8.8", 53, HOST, { excludeOutboundPorts: [53] }],
  ["an excluded range", "8.8.8.8", 53, HOST, { excludeOutboundIPRanges: ["8.0.0.0/8"] }],
  ["a range that is not included", "8.8.8.8", 53, HOST, { includeOutboundIPRanges: ["10.0.0.0/8"] }],
  ["a range that is included", "db", 80, captured("10.96.0.5", 80, "db"), { includeOutboundIPRanges: ["10.0.0.0/8"] }],
  ["an external name with included ranges only", "example.org", 80, HOST, { includeOutboundIPRanges: ["10.0.0.0/8"] }],
  [
    "an included port beats the ranges",
    "8.8.8.8",
    53,
    captured("8.8.8.8", 53),
    { includeOutboundIPRanges: [], includeOutboundPorts: [53] },
  ],
  [
    "an excluded port beats an included one",
    "8.8.8.8",
    53,
    HOST,
    { includeOutboundPorts: [53], excludeOutboundPorts: [53] },
  ],
];
for (const [name, host, port, want, change] of cases) {
  test(`route: ${name}`, () => {
    const router = createRouter(
      { ...config, ...change },
      { exists: (path) => FILES.has(path), readName: (file) => NAMES[file] },
    );
    assert.deepEqual(router.route(host, port), want);
  });
}

test("the longest mountPath maps a path, by whole segments", () => {
  const mounts = [
    { mountPath: "/etc/config/deep", hostPath: "/v/deep" },
    { mountPath: "/etc/config/", hostPath: "/v/config" },
  ];
  for (const [path, want] of [
    ["/etc/config", "/v/config"],
    ["/etc/config/a", "/v/config/a"],
    ["/etc/config/deep/b", "/v/deep/b"],
    ["/etc/configuration", "/etc/configuration"],
    ["relative/etc/config", "relative/etc/config"],
  ])
    assert.equal(mapPath(path, mounts), want);
  assert.equal(mapPath(new URL("file:///etc/config/a"), mounts), "/v/config/a");
  assert.equal(mapPath(Buffer.from("/etc/config/a"), mounts), "/v/config/a");
  assert.equal(mapPath(3, mounts), 3);
});

test("a Node without a private name that we need is told at once, with that name", () => {
  assert.doesNotThrow(privateNode);
  const prototype: object = net.Socket.prototype;
  const kept: unknown = Reflect.get(prototype, "_getpeername");
  Reflect.set(prototype, "_getpeername", undefined);
  try {
    assert.throws(privateNode, /argyle preload: Node v\S+ has no net\.Socket\.prototype\._getpeername/);
  } finally {
    Reflect.set(prototype, "_getpeername", kept);
  }
});
