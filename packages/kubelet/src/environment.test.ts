import assert from "node:assert/strict";
import { test } from "node:test";
import { type Container, type Pod, parseQuantity, type Service } from "@argyle/kube-types";
import { resolveCommand } from "./command.ts";
import { buildEnvironment } from "./environment.ts";
import { expandVariables } from "./expand.ts";

const service = (namespace: string, name: string, ip: string, port: number): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace, name },
  spec: { clusterIP: ip, ports: [{ name: "http-x", port }] },
});

function build(container: Partial<Container>, podSpec: Partial<Pod["spec"]> = {}) {
  const full: Container = { name: "app", resources: { limits: { cpu: "500m", memory: "64Mi" } }, ...container };
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "shop", uid: "u1", labels: { app: "web", b: "2" } },
    spec: { containers: [full], ...podSpec },
  };
  return buildEnvironment({
    pod,
    container: full,
    podIP: "10.244.0.5",
    node: { nodeName: "argyle", hostIP: "127.0.0.1", cpus: 2, memoryBytes: 2 ** 30 },
    imageEnv: { FROM_IMAGE: "i" },
    hostEnv: { PATH: "/bin" },
    services: [service("default", "kubernetes", "10.96.0.1", 443), service("shop", "user-db", "10.96.1.1", 5432)],
    configMap: (name) =>
      name === "cm" ? { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { K: "v", L: "w" } } : undefined,
    secret: (name) =>
      name === "s" ? { apiVersion: "v1", kind: "Secret", metadata: { name }, data: { P: "c2VjcmV0" } } : undefined,
  });
}

const cases: readonly {
  readonly name: string;
  readonly env: Container["env"];
  readonly out: Record<string, string>;
}[] = [
  {
    name: "values with references to earlier ones",
    env: [
      { name: "A", value: "1" },
      { name: "B", value: "$(A)-$(C)-$$(A)" },
    ],
    out: { B: "1-$(C)-$(A)" },
  },
  {
    name: "pod fields",
    env: [
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    ],
    out: { IP: "10.244.0.5", APP: "web" },
  },
  {
    name: "resources, rounded up by the divisor",
    env: [
      { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "0" } } },
      { name: "MEM", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
    ],
    out: { CPU: "1", MEM: "64" },
  },
  {
    name: "keys of ConfigMaps and Secrets",
    env: [
      { name: "C", valueFrom: { configMapKeyRef: { name: "cm", key: "K" } } },
      { name: "S", valueFrom: { secretKeyRef: { name: "s", key: "P" } } },
    ],
    out: { C: "v", S: "secret" },
  },
  {
    name: "service links and the API server",
    env: [],
    out: { USER_DB_SERVICE_HOST: "10.96.1.1", USER_DB_PORT: "tcp://10.96.1.1:5432", KUBERNETES_SERVICE_PORT: "443" },
  },
  { name: "host, image and host name", env: [], out: { PATH: "/bin", FROM_IMAGE: "i", HOSTNAME: "web-1" } },
];
for (const c of cases) {
  test(`has ${c.name}`, () => {
    const result = build({ env: c.env ?? [] });
    assert.ok(result.ok);
    for (const [name, value] of Object.entries(c.out)) assert.equal(result.value[name], value);
  });
}

test("env wins over envFrom, which has a prefix", () => {
  const result = build({
    envFrom: [{ prefix: "X_", configMapRef: { name: "cm" } }, { secretRef: { name: "s" } }],
    env: [{ name: "X_K", value: "own" }],
  });
  assert.ok(result.ok);
  assert.deepEqual([result.value.X_K, result.value.X_L, result.value.P], ["own", "w", "secret"]);
});

test("enableServiceLinks: false leaves only the API server", () => {
  const result = build({}, { enableServiceLinks: false });
  assert.ok(result.ok);
  assert.equal(result.value.USER_DB_SERVICE_HOST, undefined);
  assert.equal(result.value.KUBERNETES_SERVICE_HOST, "10.96.0.1");
});

test("names every missing reference, but not optional ones", () => {
  const result = build({
    envFrom: [{ configMapRef: { name: "gone" } }, { secretRef: { name: "gone", optional: true } }],
    env: [
      { name: "A", valueFrom: { configMapKeyRef: { name: "cm", key: "Z" } } },
      { name: "B", valueFrom: { secretKeyRef: { name: "nope", key: "Z" } } },
    ],
  });
  assert.ok(!result.ok);
  assert.deepEqual(
    result.error.map((p) => p.message),
    ['configmap "gone" not found', "couldn't find key Z in configmap cm", 'secret "nope" not found'],
  );
});

const expansions = [
  { text: "$(A) $(B)", out: "1 $(B)" },
  { text: "$$(A) $A", out: "$(A) $A" },
  { text: "$()", out: "$()" },
];
for (const c of expansions) {
  test(`expands ${c.text}`, () => {
    assert.equal(
      expandVariables(c.text, (name) => (name === "A" ? "1" : undefined)),
      c.out,
    );
  });
}

const quantities: readonly [string | number, number | undefined][] = [
  ["100m", 0.1],
  ["64Mi", 64 * 2 ** 20],
  ["1G", 1e9],
  [2, 2],
  ["1e3", 1000],
  ["x", undefined],
];
for (const [text, value] of quantities) test(`reads quantity ${text}`, () => assert.equal(parseQuantity(text), value));

const entry = {
  id: "fortio",
  names: ["fortio/fortio"],
  directory: "images/fortio",
  main: "images/fortio/main.cjs",
  args: ["server"],
  accepts: ["/usr/bin/fortio-main", "/app"],
  bin: ["fortio"],
};
const N = "/node";
const commands: readonly { readonly name: string; readonly container: Partial<Container>; readonly argv: string[] }[] =
  [
    { name: "the image's entrypoint and args", container: {}, argv: [N, "/d/images/fortio/main.cjs", "server"] },
    { name: "args over the image's", container: { args: ["load"] }, argv: [N, "/d/images/fortio/main.cjs", "load"] },
    {
      name: "a command path of the original image",
      container: { command: ["/app", "x"], args: ["-port=$(P)"] },
      argv: [N, "/d/images/fortio/main.cjs", "x", "-port=80"],
    },
    {
      name: "a tool by its path",
      container: { command: ["/usr/bin/fortio", "load"] },
      argv: [N, "/d/images/fortio/bin/fortio.cjs", "load"],
    },
    {
      name: "a program of the host",
      container: { command: ["/bin/sh", "-c", "true"] },
      argv: ["/bin/sh", "-c", "true"],
    },
  ];
for (const c of commands) {
  test(`runs ${c.name}`, () => {
    const container = { name: "a", ...c.container };
    const result = resolveCommand({ container, entry, distDir: "/d", nodePath: N, env: { P: "80" } });
    assert.ok(result.ok);
    assert.deepEqual(result.value.argv, c.argv);
  });
}

test("image host without a command says what to do", () => {
  const host = { id: "host", names: ["host"], directory: "", runtime: "exec" as const };
  const result = resolveCommand({ container: { name: "a" }, entry: host, distDir: "/d", nodePath: N, env: {} });
  assert.ok(!result.ok);
  assert.match(result.error, /command must name it/);
});
