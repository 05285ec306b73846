// The sidecar's agent against istiod over TLS: identity, configuration, refusals, restarts. Both run as in production; only the sink
// (the proxy's runtime) and the resources are the test's.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Clock, silentLogger, systemClock } from "@argyle/core";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import {
  CLUSTER_TYPE,
  createDeltaClientSession,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  openDeltaStream,
  ROUTE_TYPE,
  SECRET_TYPE,
} from "@argyle/xds";
import * as grpc from "@grpc/grpc-js";
import { type Agent, createAgentShared, startAgent } from "../../proxy/src/agent/agent.ts";
import { createKeyAndCsr } from "../../proxy/src/agent/csr.ts";
import type { RejectedResource, ResourceSink } from "../../proxy/src/resource-sink.ts";
import { createMemoryCaStore } from "../src/serve/ca-store.ts";
import { answerDebug } from "../src/serve/debug.ts";
import { startIstiod, type TestIstiod, xdsRegistry } from "./istiod.ts";
import { createStaticSource, type StaticSource } from "./static-source.ts";

interface TestSink extends ResourceSink {
  readonly log: string[];
  readonly held: Map<string, object>;
  want(typeUrl: string, ...names: string[]): void;
}

/** Applies everything but what is called `bad`. */
function createSink(): TestSink {
  const wanted = new Map<string, Set<string>>();
  const listeners: ((typeUrl: string) => void)[] = [];
  const log: string[] = [];
  const held = new Map<string, object>();
  return {
    log,
    held,
    apply(typeUrl, upserts, removals) {
      const type = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
      log.push([type, ...upserts.map(({ name }) => `+${name}`), ...removals.map((name) => `-${name}`)].join(" "));
      const rejected: RejectedResource[] = [];
      for (const { name, resource } of upserts) {
        if (name === "bad") rejected.push({ name, message: "is bad" });
        else held.set(`${type}/${name}`, resource);
      }
      for (const name of removals) held.delete(`${type}/${name}`);
      return rejected;
    },
    wanted: (typeUrl) =>
      typeUrl === CLUSTER_TYPE || typeUrl === LISTENER_TYPE ? "*" : (wanted.get(typeUrl) ?? new Set()),
    onWantedChange: (listener) => void listeners.push(listener),
    want(typeUrl, ...names) {
      wanted.set(typeUrl, new Set(names));
      for (const listener of listeners) listener(typeUrl);
    },
  };
}

const shared = createAgentShared(xdsRegistry);

function writeRootfs(dir: string, token: string, rootPem: string): string {
  for (const path of ["var/run/secrets/tokens", "var/run/secrets/istio", "etc/istio/pod"]) {
    mkdirSync(join(dir, path), { recursive: true });
  }
  writeFileSync(join(dir, "var/run/secrets/tokens/istio-token"), token);
  writeFileSync(join(dir, "var/run/secrets/istio/root-cert.pem"), rootPem);
  writeFileSync(join(dir, "etc/istio/pod/labels"), 'app="web"\nversion="v1"\n');
  return dir;
}

function start(
  t: TestScope,
  target: () => string,
  rootPem: string,
  options: {
    readonly token?: string;
    readonly clock?: Clock;
    readonly namespace?: string;
    readonly heldDirectory?: string;
  } = {},
): { agent: Agent; sink: TestSink } {
  const sink = createSink();
  const agent = startAgent({
    spec: {
      podIP: "10.244.0.5",
      args: ["proxy", "sidecar", "--domain", "shop.svc.cluster.local"],
      env: { POD_NAME: "web-1", POD_NAMESPACE: options.namespace ?? "shop", SERVICE_ACCOUNT: "web" },
      rootfs: writeRootfs(tempDir(t), options.token ?? "shop/web", rootPem),
    },
    sink,
    heldDirectory: options.heldDirectory ?? join(tempDir(t), "held"),
    shared,
    clock: options.clock ?? systemClock,
    log: silentLogger,
    random: () => 0,
    connect: async (address, namespace) => {
      assert.equal(address, "istiod.istio-system.svc:15012");
      assert.equal(namespace, options.namespace ?? "shop");
      return target();
    },
  });
  t.after(() => agent.close());
  return { agent, sink };
}

function world(): StaticSource {
  const source = createStaticSource();
  for (const name of ["a", "b"]) source.set(CLUSTER_TYPE, name, { name, type: "EDS" });
  source.set(LISTENER_TYPE, "in", { name: "in", traffic_direction: "INBOUND" });
  source.set(ENDPOINT_TYPE, "a", { cluster_name: "a" });
  source.set(ROUTE_TYPE, "80", { name: "80" });
  return source;
}

async function startWorld(
  t: TestScope & { after(fn: () => unknown): void },
  source: StaticSource,
): Promise<TestIstiod> {
  const istiod = await startIstiod(source);
  t.after(() => istiod.close());
  return istiod;
}

test("gets its identity, then its configuration, and follows what its sink wants", async (t) => {
  const source = world();
  const istiod = await startWorld(t, source);
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  assert.deepEqual(sink.log, ["Secret +default +ROOTCA", "Cluster +a +b", "Listener +in"]);
  sink.want(ENDPOINT_TYPE, "a", "none");
  sink.want(ROUTE_TYPE, "80");
  await eventually("endpoints and routes arrive", () =>
    assert.deepEqual(sink.log.slice(3).sort(), ["ClusterLoadAssignment +a -none", "RouteConfiguration +80"]),
  );
  assert.deepEqual(sink.held.get("Listener/in"), { name: "in", traffic_direction: "INBOUND" });
  const [connection] = istiod.server.connections();
  assert.equal(connection?.node.id, "sidecar~10.244.0.5~web-1.shop~shop.svc.cluster.local");
  assert.equal(connection?.node.cluster, "web.shop");
  assert.deepEqual(connection?.node.labels, { app: "web", version: "v1" });
  assert.deepEqual(connection?.node.identity, { namespace: "shop", serviceAccount: "web" });
  assert.ok(connection?.node.filters.has("istio.stats"));
});

test("its certificate is a SPIFFE certificate of the mesh, the key its own", async (t) => {
  const istiod = await startWorld(t, world());
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  const secret = sink.held.get("Secret/default") as {
    tls_certificate: { certificate_chain: { inline_bytes: string }; private_key: { inline_bytes: string } };
  };
  const leaf = new X509Certificate(Buffer.from(secret.tls_certificate.certificate_chain.inline_bytes, "base64"));
  assert.equal(leaf.subjectAltName, "URI:spiffe://cluster.local/ns/shop/sa/web");
  assert.ok(leaf.verify(new X509Certificate(istiod.ca.rootCertPem).publicKey));
  assert.match(String(Buffer.from(secret.tls_certificate.private_key.inline_bytes, "base64")), /BEGIN PRIVATE KEY/);
});

test("pushes one change at once, only that resource, and removals", async (t) => {
  const source = world();
  const istiod = await startWorld(t, source);
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  source.set(CLUSTER_TYPE, "b", { name: "b", type: "EDS", connect_timeout: "3s" });
  await eventually("the change arrives", () => assert.equal(sink.log.at(-1), "Cluster +b"));
  source.set(CLUSTER_TYPE, "b", undefined);
  await eventually("the removal arrives", () => assert.equal(sink.log.at(-1), "Cluster -b"));
  assert.match(istiod.metrics(), /pilot_xds_pushes\{type="cds"\} 3/);
  assert.match(istiod.metrics(), /pilot_proxy_convergence_time_count 2/);
});

test("a refusal is visible at istiod with its reason; the rest is in force; the next good version heals it", async (t) => {
  const source = world();
  const istiod = await startWorld(t, source);
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  source.set(CLUSTER_TYPE, "bad", { name: "bad" });
  const cds = () => {
    const rows = answerDebug(istiod.server, "/debug/syncz", new URLSearchParams("proxyID=web-1.shop"))?.json;
    return (rows as { types: { cds: object } }[])[0]?.types.cds;
  };
  await eventually("istiod shows it", () =>
    assert.deepEqual(cds(), { state: "STALE", subscribed: "*", resources: 3, error: "bad: is bad" }),
  );
  assert.equal(agent.status().types.get(CLUSTER_TYPE)?.rejection, "bad: is bad");
  assert.ok(sink.held.has("Cluster/a"));
  source.set(CLUSTER_TYPE, "bad", undefined);
  await eventually("healed", () => assert.deepEqual(cds(), { state: "SYNCED", subscribed: "*", resources: 2 }));
});

test("a resource that does not encode is kept back, and the others go", async (t) => {
  const source = world();
  const istiod = await startWorld(t, source);
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  source.set(CLUSTER_TYPE, "a", { name: "a", no_such_field: 1 });
  source.set(CLUSTER_TYPE, "c", { name: "c" });
  await eventually("the good one arrives", () => assert.equal(sink.log.at(-1), "Cluster +c"));
  assert.match(istiod.metrics(), /pilot_total_xds_internal_errors 1/);
});

test("keeps its configuration over a restart of istiod, brings its versions back, and nothing is sent again", async (t) => {
  const source = world();
  const store = createMemoryCaStore();
  const path = join(tempDir(t), "istiod.sock");
  const first = await startIstiod(source, { store, listen: `unix:${path}` });
  const { agent, sink } = start(t, () => `unix:${path}`, first.ca.rootCertPem);
  await agent.ready;
  sink.want(ENDPOINT_TYPE, "a");
  await eventually("endpoints arrive", () => assert.equal(sink.log.length, 4));
  await first.close();
  await eventually("the agent notices", () => assert.equal(agent.status().isConnected, false));
  assert.ok(sink.held.has("Listener/in"));

  const second = await startIstiod(source, { store, listen: `unix:${path}` });
  t.after(() => second.close());
  const synced = () =>
    second.server
      .connections()[0]
      ?.types()
      .map(({ state, sentNonce }) => [state, sentNonce]);
  await eventually("it is back", () => assert.deepEqual(synced(), Array(3).fill(["SYNCED", ""])));
  source.set(CLUSTER_TYPE, "b", { name: "b", type: "STATIC" });
  await eventually("a later change arrives", () => assert.equal(sink.log.at(-1), "Cluster +b"));
  assert.equal(sink.log.length, 5);
});

test("the agent of a restarted worker goes on with what was held: no istiod is needed, and nothing is sent again", async (t) => {
  const source = world();
  const store = createMemoryCaStore();
  const path = join(tempDir(t), "istiod.sock");
  const heldDirectory = join(tempDir(t), "held");
  const first = await startIstiod(source, { store, listen: `unix:${path}` });
  const before = start(t, () => `unix:${path}`, first.ca.rootCertPem, { heldDirectory });
  await before.agent.ready;
  before.sink.want(ENDPOINT_TYPE, "a");
  const kept = ["cds", "eds", "identity", "lds"];
  await eventually("it is written", () => assert.deepEqual(readdirSync(heldDirectory).sort(), kept));
  assert.ok(kept.every((name) => (statSync(join(heldDirectory, name)).mode & 0o077) === 0));
  before.agent.close();
  await first.close();

  const { agent, sink } = start(t, () => `unix:${path}`, first.ca.rootCertPem, { heldDirectory });
  sink.want(ENDPOINT_TYPE, "a");
  await agent.restored;
  await agent.ready;
  const restored = ["Cluster +a +b", "ClusterLoadAssignment +a", "Listener +in", "Secret +default +ROOTCA"];
  assert.deepEqual([...sink.log].sort(), restored);
  assert.equal(agent.status().certificate?.serialNumber, before.agent.status().certificate?.serialNumber);
  assert.deepEqual(sink.held.get("Cluster/b"), before.sink.held.get("Cluster/b"));
  source.set(CLUSTER_TYPE, "b", { name: "b", type: "STATIC" });

  const second = await startIstiod(source, { store, listen: `unix:${path}` });
  t.after(() => second.close());
  await eventually("the change of the meantime arrives", () => assert.equal(sink.log.at(-1), "Cluster +b"));
  assert.equal(sink.log.length, restored.length + 1);
  await eventually("it is written again", () => assert.deepEqual(readdirSync(heldDirectory).sort(), kept));
});

const unusable = [
  { name: "cut off", file: "cds", text: async () => '["a","1"]\n{"name":' },
  { name: "no certificate", file: "identity", text: async () => '{"certChain":["nonsense"],"privateKeyPem":""}' },
  {
    name: "of another workload",
    file: "identity",
    async text({ ca }: TestIstiod) {
      const { privateKeyPem, csrPem } = createKeyAndCsr("spiffe://cluster.local/ns/shop/sa/other");
      const identity = { namespace: "shop", serviceAccount: "other" };
      return JSON.stringify({ privateKeyPem, certChain: await ca.signWorkload(csrPem, identity, 0) });
    },
  },
];
for (const { name, file, text } of unusable) {
  test(`held state that is ${name} is not used: istiod is asked`, async (t) => {
    const istiod = await startWorld(t, world());
    const heldDirectory = tempDir(t);
    writeFileSync(join(heldDirectory, file), await text(istiod));
    const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem, { heldDirectory });
    await agent.ready;
    assert.deepEqual(sink.log, ["Secret +default +ROOTCA", "Cluster +a +b", "Listener +in"]);
    assert.match(istiod.metrics(), /citadel_server_csr_count 1/);
  });
}

test("renews its certificate at half life while the stream goes on", async (t) => {
  const istiod = await startWorld(t, world());
  const timers: { delayMs: number; callback: () => void }[] = [];
  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback, options) {
      if (delayMs > 60_000) timers.push({ delayMs, callback });
      return delayMs > 60_000 ? { cancel: () => undefined } : systemClock.after(delayMs, callback, options);
    },
  };
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem, { clock });
  await agent.ready;
  const before = agent.status().certificate?.serialNumber;
  const [timer] = timers;
  assert.ok(timer !== undefined && Math.abs(timer.delayMs - 43_200_000) < 60_000, `${timer?.delayMs}`);
  timer.callback();
  await eventually("a new one is there", () => assert.equal(sink.log.at(-1), "Secret +default +ROOTCA"));
  assert.notEqual(agent.status().certificate?.serialNumber, before);
  assert.equal(agent.status().isConnected, true);
});

const refusals = [
  { name: "a token that is not valid gets no certificate", token: "nonsense", namespace: "shop", log: [] },
  {
    name: "a token of another namespace gets no configuration of this one",
    token: "other/web",
    namespace: "shop",
    log: ["Secret +default +ROOTCA"],
  },
];
for (const { name, token, namespace, log } of refusals) {
  test(name, async (t) => {
    const istiod = await startWorld(t, world());
    const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem, { token, namespace });
    await eventually("it was refused", () =>
      token === "nonsense"
        ? assert.match(istiod.metrics(), /citadel_server_authentication_failure_count [1-9]/)
        : assert.match(agent.status().lastError ?? "", /PERMISSION_DENIED/),
    );
    assert.deepEqual(sink.log, log);
    assert.equal(istiod.server.connections().length, 0);
    assert.equal(agent.status().isReady, false);
  });
}

test("an istiod with another root is not trusted", async (t) => {
  const [istiod, other] = await Promise.all([startWorld(t, world()), startWorld(t, world())]);
  let dials = 0;
  const target = () => {
    dials += 1;
    return `127.0.0.1:${istiod.tlsPort}`;
  };
  const { agent, sink } = start(t, target, other.ca.rootCertPem);
  await eventually("it failed and tries again", () => assert.ok(dials >= 2));
  assert.deepEqual(sink.log, []);
  assert.equal(agent.status().certificate, undefined);
  assert.doesNotMatch(istiod.metrics(), /citadel_server_csr_count [1-9]/);
});

const certificates = [
  { name: "a certificate of the mesh is an identity without a token", own: true, expected: "shop/web" },
  { name: "a certificate of another mesh is none", own: false, expected: "UNAUTHENTICATED" },
];
for (const { name, own, expected } of certificates) {
  test(name, async (t) => {
    const [istiod, other] = await Promise.all([startWorld(t, world()), startWorld(t, world())]);
    const { privateKeyPem, csrPem } = createKeyAndCsr("spiffe://cluster.local/ns/ignored/sa/ignored");
    const identity = { namespace: "shop", serviceAccount: "web" };
    const chain = await (own ? istiod : other).ca.signWorkload(csrPem, identity, 0);
    const tls = grpc.credentials.createSsl(
      Buffer.from(istiod.ca.rootCertPem),
      Buffer.from(privateKeyPem),
      Buffer.from(chain[0] ?? ""),
    );
    const options = { "grpc.ssl_target_name_override": "istiod.istio-system.svc" };
    const client = new grpc.Client(`127.0.0.1:${istiod.tlsPort}`, tls, options);
    t.after(() => client.close());
    const stream = openDeltaStream(client, shared.wire, new grpc.Metadata());
    t.after(() => stream.cancel());
    const outcome = new Promise<string>((resolve) => {
      stream.on("error", (error) => resolve(error.message));
      stream.on("data", () => {
        const held = istiod.server.connections()[0]?.node.identity;
        resolve(`${held?.namespace}/${held?.serviceAccount}`);
      });
    });
    const node = { id: "sidecar~10.244.0.5~web-1.shop~shop.svc.cluster.local" };
    const session = createDeltaClientSession({ node, types: [CLUSTER_TYPE], wanted: () => "*" });
    for (const request of session.open()) stream.write(request);
    assert.match(await outcome, new RegExp(expected));
  });
}

test("two sidecars share one connection and one decoded object per content", async (t) => {
  const istiod = await startWorld(t, world());
  const target = () => `127.0.0.1:${istiod.tlsPort}`;
  const one = start(t, target, istiod.ca.rootCertPem);
  const two = start(t, target, istiod.ca.rootCertPem);
  await Promise.all([one.agent.ready, two.agent.ready]);
  assert.equal(shared.channels.size(), 1);
  assert.equal(one.sink.held.get("Cluster/a"), two.sink.held.get("Cluster/a"));
  assert.notEqual(one.sink.held.get("Secret/default"), two.sink.held.get("Secret/default"));
  one.agent.close();
  two.agent.close();
  assert.equal(shared.channels.size(), 0);
});

test("sends a gateway's secrets, and config_dump shows what istiod has without keys", async (t) => {
  const source = world();
  source.set(SECRET_TYPE, "kubernetes://tls", {
    name: "kubernetes://tls",
    tls_certificate: { private_key: { inline_bytes: "c2VjcmV0" } },
  });
  const istiod = await startWorld(t, source);
  const { agent, sink } = start(t, () => `127.0.0.1:${istiod.tlsPort}`, istiod.ca.rootCertPem);
  await agent.ready;
  sink.want(SECRET_TYPE, "default", "ROOTCA", "kubernetes://tls");
  await eventually("the secret arrives", () => assert.equal(sink.log.at(-1), "Secret +kubernetes://tls"));
  const dump = answerDebug(istiod.server, "/debug/config_dump", new URLSearchParams("proxyID=web-1.shop"));
  const text = JSON.stringify(dump?.json);
  assert.equal(dump?.status, 200);
  assert.match(text, /"dynamic_active_clusters":\[\{"cluster":\{"@type":"[^"]+Cluster","name":"a"/);
  assert.doesNotMatch(text, /c2VjcmV0/);
  assert.ok(xdsRegistry.encode("envoy.admin.v3.ConfigDump", dump?.json as object).ok);
});
