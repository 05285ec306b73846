import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@argyle/core";
import { type ConfigMap, resourceOf } from "@argyle/kube-types";
import { createFakeClock, settle } from "@argyle/testkit";
import { createMemoryApi } from "../test/memory-api.ts";
import { createInformer } from "./informer.ts";

const configMaps = resourceOf("ConfigMap");

function configMap(name: string, value: string): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "a" }, data: { value } };
}

async function setUp(t: TestContext) {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  await api.client.create(configMaps, configMap("one", "1"));
  const informer = createInformer<ConfigMap>({
    client: api.client,
    resource: configMaps,
    clock,
    log: silentLogger,
    random: () => 0.5,
  });
  t.after(() => informer.close());
  const seen: string[] = [];
  informer.onChange((change) =>
    seen.push(`${change.type} ${change.key} ${change.old?.data?.value ?? "-"}>${change.object.data?.value}`),
  );
  await informer.synced;
  await settle();
  return { clock, api, informer, seen };
}

test("lists, then follows", async (t) => {
  const { api, informer, seen } = await setUp(t);
  await api.client.create(configMaps, configMap("two", "2"));
  await api.client.patch(configMaps, { namespace: "a", name: "one" }, "merge", { data: { value: "9" } });
  await api.client.delete(configMaps, { namespace: "a", name: "two" });
  await settle();
  assert.deepEqual(seen, ["ADDED a/one ->1", "ADDED a/two ->2", "MODIFIED a/one 1>9", "DELETED a/two 2>2"]);
  assert.equal(informer.get("a/one")?.data?.value, "9");
  assert.equal(informer.list().length, 1);
});

test("tells a late subscriber what is there", async (t) => {
  const { informer } = await setUp(t);
  const late: string[] = [];
  informer.onChange((change) => late.push(`${change.type} ${change.key}`));
  assert.deepEqual(late, ["ADDED a/one"]);
});

test("resumes from the last resourceVersion when the server closes the watch", async (t) => {
  const { api, clock, seen } = await setUp(t);
  await api.client.create(configMaps, configMap("two", "2"));
  await settle();
  api.disconnect("close");
  await api.client.create(configMaps, configMap("three", "3"));
  await clock.advance(2000);
  assert.deepEqual(seen, ["ADDED a/one ->1", "ADDED a/two ->2", "ADDED a/three ->3"]);
  assert.equal(api.calls.filter((call) => call.verb === "list").length, 1);
});

const outages = [
  { name: "a lost connection", cut: (api: ReturnType<typeof createMemoryApi>) => api.disconnect("error") },
  { name: "a server that is down", cut: (api: ReturnType<typeof createMemoryApi>) => api.setDown(true) },
  {
    name: "an expired resourceVersion",
    cut: (api: ReturnType<typeof createMemoryApi>) => {
      api.disconnect("close");
      api.expireHistory();
    },
  },
];
for (const outage of outages) {
  test(`after ${outage.name} tells exactly the difference`, async (t) => {
    const { api, clock, seen } = await setUp(t);
    await api.client.create(configMaps, configMap("same", "s"));
    await api.client.create(configMaps, configMap("again", "old"));
    await api.client.create(configMaps, configMap("gone", "g"));
    await settle();
    seen.length = 0;
    outage.cut(api);
    await settle();
    api.setDown(false);
    await api.client.patch(configMaps, { namespace: "a", name: "one" }, "merge", { data: { value: "2" } });
    await api.client.delete(configMaps, { namespace: "a", name: "gone" });
    await api.client.delete(configMaps, { namespace: "a", name: "again" });
    await api.client.create(configMaps, configMap("again", "new"));
    await api.client.create(configMaps, configMap("born", "b"));
    if (outage.name.startsWith("an expired")) api.expireHistory();
    await clock.advance(2000);
    assert.deepEqual([...seen].sort(), [
      "ADDED a/again ->new",
      "ADDED a/born ->b",
      "DELETED a/again old>old",
      "DELETED a/gone g>g",
      "MODIFIED a/one 1>2",
    ]);
    assert.ok(seen.indexOf("DELETED a/again old>old") < seen.indexOf("ADDED a/again ->new"));
  });
}

test("backs off while the server is down and never gives up", async (t) => {
  const { api, clock, seen } = await setUp(t);
  api.setDown(true);
  await clock.advance(60_000);
  const attempts = api.calls.length;
  assert.ok(attempts > 50 && attempts < 400, `${attempts} attempts in a minute`);
  api.setDown(false);
  await api.client.create(configMaps, configMap("two", "2"));
  await clock.advance(1000);
  assert.deepEqual(seen, ["ADDED a/one ->1", "ADDED a/two ->2"]);
});

test("keeps its indexes true before a handler runs", async (t) => {
  const { api, informer } = await setUp(t);
  const byValue = informer.index((object) => [object.data?.value ?? ""]);
  const seen: number[][] = [];
  informer.onChange(() => seen.push([byValue.lookup("1").length, byValue.lookup("9").length]));
  await api.client.patch(configMaps, { namespace: "a", name: "one" }, "merge", { data: { value: "9" } });
  await settle();
  assert.deepEqual(seen, [
    [1, 0],
    [0, 1],
  ]);
});

test("rejects synced when it is closed before it listed", async () => {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  api.setDown(true);
  const informer = createInformer({ client: api.client, resource: configMaps, clock, log: silentLogger });
  await settle();
  await informer.close();
  await assert.rejects(informer.synced, { code: "kube.informer.closed" });
  assert.equal(clock.pending(), 0);
});

test("a handler that throws does not stop the others", async (t) => {
  const { api, informer, seen } = await setUp(t);
  informer.onChange(() => {
    throw new Error("broken handler");
  });
  await api.client.create(configMaps, configMap("two", "2"));
  await settle();
  assert.equal(seen.at(-1), "ADDED a/two ->2");
});
