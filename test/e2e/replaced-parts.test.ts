/**
 * Every arrow between two parts is a public protocol, so each part works beside one that we did not write: our proxy from a static Envoy
 * bootstrap without istiod, gRPC's own xDS client on our istiod, helm on our API.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import * as grpc from "@grpc/grpc-js";
import { get } from "../http.ts";
import { findKubectls, ROOT, run, startMiniCluster } from "../mini-cluster.ts";

test("our proxy alone, from a static Envoy bootstrap, routes by prefix, header and weight, and answers on its admin page", async (t) => {
  const [blue, red] = await Promise.all([startBackend(t, "blue"), startBackend(t, "red")]);
  const [port, admin] = [await freePort(), await freePort()];
  const file = join(tempDir(t), "envoy.yaml");
  writeFileSync(file, bootstrap({ port, admin, blue, red }));
  const proxy = spawn(process.execPath, [join(ROOT, "dist/proxy.cjs"), "--config", file], { stdio: "pipe" });
  endWithTest(t, proxy);
  const url = `http://127.0.0.1:${port}`;
  await eventually("the proxy listens", () => get(`${url}/blue`));

  const answers = async (path: string, headers: Record<string, string> = {}) =>
    (await get(`${url}${path}`, { headers })).body;
  assert.equal(await answers("/blue/x"), "blue /blue/x");
  assert.equal(await answers("/red/x"), "red /x", "prefix_rewrite");
  assert.equal(await answers("/", { "x-colour": "red" }), "red /");
  assert.equal((await get(`${url}/none`, { headers: { host: "elsewhere.test" } })).status, 404);
  assert.equal((await get(`${url}/direct`)).status, 418);

  const n = 400;
  let reds = 0;
  for (let i = 0; i < n; i++) if ((await answers("/split")).startsWith("red")) reds += 1;
  // Five standard deviations of a binomial with p = 0.25.
  assert.ok(Math.abs(reds - n * 0.25) < 5 * Math.sqrt(n * 0.25 * 0.75), `${reds} of ${n} were red`);

  assert.match((await get(`http://127.0.0.1:${admin}/stats`)).body, /^cluster\.red\.upstream_rq_total: [1-9]/m);
  assert.equal((await get(`http://127.0.0.1:${admin}/ready`)).body, "LIVE\n");
  proxy.kill("SIGTERM");
  assert.equal(await exitOf(proxy), 0);
});

test("a wrong bootstrap is refused with what is wrong: 2", async (t) => {
  const file = join(tempDir(t), "envoy.yaml");
  writeFileSync(file, bootstrap({ port: 1, admin: 1, blue: 1, red: 1 }).replace("prefix: /blue", "prefixx: /blue"));
  const { code, stderr } = await run(process.execPath, [join(ROOT, "dist/proxy.cjs"), "--config", file], {
    env: process.env,
  });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /prefixx|match/);
});

test("gRPC's own xDS client resolves a Service through our istiod and follows a VirtualService", async (t) => {
  const [one, two] = await Promise.all([startEcho(t, "one"), startEcho(t, "two")]);
  const dir = tempDir(t);
  writeFileSync(join(dir, "echo.yaml"), echoService("echo", one) + echoService("echo-two", two));
  const [xds, secure, monitoring, webhooks, health] = await Promise.all([0, 0, 0, 0, 0].map(freePort));
  const args = [
    ...["discovery", "--config-dir", dir, "--grpcAddr", `127.0.0.1:${xds}`, "--secureGRPCAddr", `127.0.0.1:${secure}`],
    ...[
      "--monitoringAddr",
      `127.0.0.1:${monitoring}`,
      "--httpsAddr",
      `127.0.0.1:${webhooks}`,
      "--httpAddr",
      `127.0.0.1:${health}`,
    ],
  ];
  const istiod = spawn(process.execPath, [join(ROOT, "dist/images/pilot/main.cjs"), ...args], { stdio: "pipe" });
  let log = "";
  istiod.stderr.on("data", (chunk: Buffer) => {
    log += chunk;
  });
  endWithTest(t, istiod);
  await eventually("istiod is ready", async () =>
    assert.equal((await get(`http://127.0.0.1:${health}/ready`)).status, 200),
  );

  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    xds_servers: [
      { server_uri: `127.0.0.1:${xds}`, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] },
    ],
    node: {
      id: "sidecar~10.244.0.9~client.default~default.svc.cluster.local",
      cluster: "client.default",
      locality: {},
      metadata: { GENERATOR: "grpc", NAMESPACE: "default", INSTANCE_IPS: "10.244.0.9" },
    },
  });
  const { register } = await import("@grpc/grpc-js-xds");
  register();
  const client = new grpc.Client("xds:///echo.default.svc.cluster.local:7070", grpc.credentials.createInsecure());
  t.after(() => client.close());
  assert.equal(await say(client, "hello"), "one: hello", log);

  writeFileSync(
    join(dir, "route.yaml"),
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo, namespace: default}
spec:
  hosts: [echo.default.svc.cluster.local]
  http: [{route: [{destination: {host: echo-two.default.svc.cluster.local, port: {number: 7070}}}]}]
`,
  );
  await eventually("calls follow the VirtualService", async () => assert.equal(await say(client, "x"), "two: x"));
  assert.match(
    (await get(`http://127.0.0.1:${monitoring}/metrics`)).body,
    /^pilot_total_xds_rejects\S* 0$|^(?![\s\S]*pilot_total_xds_rejects)/m,
  );
  istiod.kill("SIGTERM");
  assert.equal(await exitOf(istiod), 0);
});

const helms = findKubectls().flatMap(({ version, path }) => {
  const helm = join(dirname(path), "helm");
  return /^1\./.test(version) && existsSync(helm) ? [{ version, helm }] : [];
});

test("helm installs, upgrades, rolls back and uninstalls a chart", {
  skip: helms.length === 0 && "no helm: node scripts/fetch-kubectl.mjs 35",
}, async (t) => {
  const cluster = await startMiniCluster(t, { demo: "none" });
  const chart = tempDir(t);
  mkdirSync(join(chart, "templates"));
  writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: tiny\nversion: 0.1.0\n");
  writeFileSync(join(chart, "values.yaml"), "colour: blue\nreplicas: 1\n");
  writeFileSync(join(chart, "templates/all.yaml"), CHART);
  for (const { version, helm } of helms) {
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfig, HOME: chart, HELM_CACHE_HOME: join(chart, ".cache") };
    const namespace = `helm-${version.replace(".", "-")}`;
    const call = async (...args: string[]) => {
      const outcome = await run(helm, [...args, "-n", namespace], { env });
      assert.equal(outcome.code, 0, `helm ${args.join(" ")}: ${outcome.stderr}`);
      return outcome.stdout;
    };
    const colour = () =>
      cluster.kubectl("-n", namespace, "get", "configmap", "tiny-colour", "-o", "jsonpath={.data.colour}");

    await call("install", "tiny", chart, "--create-namespace", "--wait", "--timeout", "20s");
    assert.equal(await colour(), "blue");
    assert.match(await cluster.kubectl("-n", namespace, "get", "deployment", "tiny"), /1\/1/);
    await call("upgrade", "tiny", chart, "--set", "colour=red", "--wait", "--timeout", "20s");
    assert.equal(await colour(), "red");
    await call("rollback", "tiny", "1", "--wait", "--timeout", "20s");
    assert.equal(await colour(), "blue");
    const history = JSON.parse(await call("history", "tiny", "-o", "json")) as readonly { readonly status: string }[];
    assert.deepEqual(
      history.map(({ status }) => status),
      ["superseded", "superseded", "deployed"],
    );
    assert.match(await call("list"), /^tiny\s.*deployed/m);
    await call("uninstall", "tiny", "--wait", "--timeout", "20s");
    const left = await cluster.kubectl("-n", namespace, "get", "configmap,secret,deployment,service", "-o", "name");
    assert.equal(left, "configmap/kube-root-ca.crt\n");
  }
});

const CHART = `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-colour"}
data: {colour: "{{ .Values.colour }}"}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: tiny}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}, annotations: {colour: "{{ .Values.colour }}"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: host, command: [sleep, "600"]}]
`;

function bootstrap(at: {
  readonly port: number;
  readonly admin: number;
  readonly blue: number;
  readonly red: number;
}): string {
  const cluster = (name: string, port: number) => `
  - name: ${name}
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: ${name}
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}}]`;
  return `
node: {id: alone, cluster: test}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${at.admin}}}}
static_resources:
  listeners:
  - name: http
    address: {socket_address: {address: 127.0.0.1, port_value: ${at.port}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            name: local
            virtual_hosts:
            - name: here
              domains: ["127.0.0.1:*", "127.0.0.1", "127.0.0.1:${at.port}"]
              routes:
              - {match: {prefix: /blue}, route: {cluster: blue}}
              - {match: {prefix: /red/}, route: {cluster: red, prefix_rewrite: /}}
              - {match: {prefix: /direct}, direct_response: {status: 418}}
              - match: {prefix: /split}
                route: {weighted_clusters: {clusters: [{name: blue, weight: 75}, {name: red, weight: 25}]}}
              - {match: {prefix: /, headers: [{name: x-colour, string_match: {exact: red}}]}, route: {cluster: red}}
              - {match: {prefix: /}, route: {cluster: blue}}
  clusters:${cluster("blue", at.blue)}${cluster("red", at.red)}
`;
}

/** A headless Service as an operator would write it by hand: no selector, its EndpointSlice beside it. */
function echoService(name: string, port: number): string {
  return `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {clusterIP: 10.96.0.${name.length}, ports: [{name: grpc, port: 7070, targetPort: ${port}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: grpc, port: ${port}, protocol: TCP}]
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
`;
}

const SAY: grpc.MethodDefinition<string, string> = {
  path: "/test.Echo/Say",
  requestStream: false,
  responseStream: false,
  requestSerialize: Buffer.from,
  requestDeserialize: String,
  responseSerialize: Buffer.from,
  responseDeserialize: String,
};

function startEcho(scope: TestScope, name: string): Promise<number> {
  const server = new grpc.Server();
  server.addService({ Say: SAY } as unknown as grpc.ServiceDefinition, {
    Say: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) =>
      done(null, `${name}: ${call.request}`),
  });
  scope.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

function say(client: grpc.Client, text: string): Promise<string> {
  const options = { deadline: Date.now() + 5000 };
  return new Promise((resolve, reject) => {
    const onReply = (error: grpc.ServiceError | null, reply?: string) =>
      error === null ? resolve(reply ?? "") : reject(error);
    client.makeUnaryRequest(SAY.path, SAY.requestSerialize, SAY.responseDeserialize, text, options, onReply);
  });
}

/** An HTTP server that answers with its name and the path that it was asked for. */
async function startBackend(scope: TestScope, name: string): Promise<number> {
  const server: Server = createServer((request, response) => response.end(`${name} ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return portOf(server);
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function portOf(server: { address(): unknown }): number {
  const address = server.address() as { readonly port: number };
  return address.port;
}

function endWithTest(scope: TestScope, child: ChildProcess): void {
  scope.after(() => void child.kill("SIGKILL"));
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
