import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger, systemClock } from "@argyle/core";
import { type ConfigMap, type Pod, resourceOf } from "@argyle/kube-types";
import { createFakeClock, eventually, tempDir } from "@argyle/testkit";
import { makeCertificates } from "../test/certificates.ts";
import { createMemoryApi } from "../test/memory-api.ts";
import { startMemoryServer } from "../test/memory-server.ts";
import type { WatchEvent } from "./client.ts";
import type { KubeClientOptions } from "./connection.ts";
import { isAlreadyExists, isConflict, isExpired, isNotFound, isUnreachable } from "./errors.ts";
import { createInformer } from "./informer.ts";
import { createKubeClient } from "./rest.ts";

const configMaps = resourceOf("ConfigMap");
const one: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "one", namespace: "a" },
  data: { k: "v" },
};
const ref = { namespace: "a", name: "one" };

async function setUp(t: TestContext, more: Partial<KubeClientOptions> = {}) {
  const api = createMemoryApi({ clock: createFakeClock() });
  const server = await startMemoryServer(api);
  const client = createKubeClient({ server: `http://127.0.0.1:${server.port}`, userAgent: "test", ...more });
  t.after(async () => {
    client.close();
    await server.close();
  });
  return { api, server, client };
}

test("creates, reads, replaces, patches and deletes", async (t) => {
  const { client, server } = await setUp(t);
  const made = await client.create<ConfigMap>(configMaps, one);
  assert.equal((await client.get<ConfigMap>(configMaps, ref)).data?.k, "v");
  const replaced = await client.replace<ConfigMap>(configMaps, { ...made, ...{ data: { k: "w" } } });
  assert.notEqual(replaced.metadata.resourceVersion, made.metadata.resourceVersion);
  await client.patch(configMaps, ref, "merge", { data: { z: "1" } });
  const list = await client.list<ConfigMap>(configMaps, "a");
  assert.deepEqual(
    list.items.map((item) => [item.kind, item.apiVersion, item.data]),
    [["ConfigMap", "v1", { k: "w", z: "1" }]],
  );
  await client.delete(configMaps, ref, { gracePeriodSeconds: 0 });
  assert.equal(await client.find(configMaps, ref), undefined);
  const patch = server.received.find((r) => r.method === "PATCH");
  assert.equal(patch?.headers["content-type"], "application/merge-patch+json");
  assert.equal(patch?.url, "/api/v1/namespaces/a/configmaps/one?fieldManager=test");
});

test("posts a subresource to the object's own path", async (t) => {
  const { client, api, server } = await setUp(t);
  const pods = resourceOf("Pod");
  await api.client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "a" }, spec: {} });
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name: "p", namespace: "a" },
    target: { name: "n1" },
  };
  await client.create(pods, binding, "binding");
  assert.equal(api.all<Pod>(pods)[0]?.spec.nodeName, "n1");
  assert.equal(server.received[0]?.url.split("?")[0], "/api/v1/namespaces/a/pods/p/binding");
});

const failures = [
  {
    name: "NotFound",
    is: isNotFound,
    run: (client: ReturnType<typeof createKubeClient>) => client.get(configMaps, { namespace: "a", name: "none" }),
  },
  {
    name: "AlreadyExists",
    is: isAlreadyExists,
    run: (client: ReturnType<typeof createKubeClient>) => client.create(configMaps, one),
  },
  {
    name: "Conflict",
    is: isConflict,
    run: (client: ReturnType<typeof createKubeClient>) =>
      client.replace(configMaps, { ...one, metadata: { ...one.metadata, resourceVersion: "1" } }),
  },
];
for (const failure of failures) {
  test(`throws the server's Status: ${failure.name}`, async (t) => {
    const { client } = await setUp(t);
    await client.create(configMaps, one);
    await assert.rejects(failure.run(client), (thrown) => failure.is(thrown));
  });
}

test("a failure that is no Status keeps its text", async (t) => {
  const { client } = await setUp(t);
  await assert.rejects(client.raw("GET", "/nowhere"), (thrown: Error) => /404 page not found/.test(thrown.message));
});

test("says unreachable when nobody listens, and when nobody answers", async (t) => {
  const nobody = createKubeClient({ server: "http://127.0.0.1:1", userAgent: "test" });
  t.after(() => nobody.close());
  await assert.rejects(nobody.get(configMaps, ref), (thrown) => isUnreachable(thrown));

  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : 0;
  const client = createKubeClient({ server: `http://127.0.0.1:${port}`, userAgent: "test", requestTimeoutMs: 50 });
  t.after(() => client.close());
  await assert.rejects(client.get(configMaps, ref), (thrown) => isUnreachable(thrown));
});

test("shares one connection between requests and sends the token that is in the file now", async (t) => {
  const tokenFile = join(tempDir(t), "token");
  writeFileSync(tokenFile, "first\n");
  const { client, server } = await setUp(t, { tokenFile });
  await client.list(configMaps);
  writeFileSync(tokenFile, "second\n");
  await client.list(configMaps);
  assert.deepEqual(
    server.received.map((r) => r.headers.authorization),
    ["Bearer first", "Bearer second"],
  );
  assert.equal(new Set(server.received.map((r) => r.remotePort)).size, 1);
});

test("watches until aborted, and a 410 is Expired", async (t) => {
  const { client, api } = await setUp(t);
  const abort = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of client.watch<ConfigMap>(configMaps, { resourceVersion: "100" }, abort.signal))
      seen.push(describe(event));
  })();
  await eventually("the watch is open", () => assert.ok(api.calls.some((call) => call.verb === "watch")));
  await api.client.create(configMaps, one);
  await api.client.delete(configMaps, ref);
  await eventually("both events", () => assert.deepEqual(seen, ["ADDED one", "DELETED one"]));
  abort.abort();
  await following;
  api.expireHistory();
  const old = client.watch(configMaps, { resourceVersion: "1" }, new AbortController().signal)[Symbol.asyncIterator]();
  await assert.rejects(
    () => old.next(),
    (thrown) => isExpired(thrown),
  );
});

function describe(event: WatchEvent<ConfigMap>): string {
  return event.type === "BOOKMARK" ? "BOOKMARK" : `${event.type} ${event.object.metadata.name}`;
}

test("an informer survives the server's restart over real sockets", async (_t) => {
  const api = createMemoryApi({ clock: createFakeClock() });
  const first = await startMemoryServer(api);
  let { port } = first;
  const dial = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket));
      socket.once("error", reject);
    });
  const client = createKubeClient({ server: "http://api.test:6443", userAgent: "test", connect: dial });
  const informer = createInformer<ConfigMap>({ client, resource: configMaps, clock: systemClock, log: silentLogger });
  await informer.synced;
  await api.client.create(configMaps, one);
  await eventually("the first event", () => assert.ok(informer.get("a/one")));
  await first.close();
  await api.client.delete(configMaps, ref);
  await api.client.create(configMaps, { ...one, metadata: { name: "two", namespace: "a" } });
  const second = await startMemoryServer(api);
  ({ port } = second);
  await eventually("the difference", () =>
    assert.deepEqual(
      informer.list().map((o) => o.metadata.name),
      ["two"],
    ),
  );
  await informer.close();
  client.close();
  await second.close();
});

const tlsCases = [
  { name: "by address", server: (port: number) => ({ server: `https://127.0.0.1:${port}` }), ok: true },
  {
    name: "by the name in tlsServerName",
    server: (port: number) => ({ server: `https://127.0.0.1:${port}`, tlsServerName: "kubernetes.default.svc" }),
    ok: true,
  },
  {
    name: "through the caller's connection",
    server: (port: number) => ({
      server: "https://kubernetes.default.svc",
      connect: async () => connect(port, "127.0.0.1"),
    }),
    ok: true,
  },
  {
    name: "not under another name",
    server: (port: number) => ({ server: `https://127.0.0.1:${port}`, tlsServerName: "other" }),
    ok: false,
  },
];
for (const c of tlsCases) {
  test(`verifies the server and shows its certificate over TLS: ${c.name}`, async (t) => {
    const pki = await makeCertificates();
    const api = createMemoryApi({ clock: createFakeClock() });
    const server = await startMemoryServer(api, { ...pki.server, ca: pki.ca });
    const client = createKubeClient({ ...c.server(server.port), ca: pki.ca, ...pki.client, userAgent: "test" });
    t.after(async () => {
      client.close();
      await server.close();
    });
    if (c.ok) assert.deepEqual((await client.list(configMaps)).items, []);
    else await assert.rejects(client.list(configMaps), (thrown) => isUnreachable(thrown));
  });
}
