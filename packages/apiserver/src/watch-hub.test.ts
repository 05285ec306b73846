import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { createFakeClock, type TestScope, tempDir } from "@argyle/testkit";
import { StatusError } from "./status.ts";
import { openStore, resourceKey } from "./storage.ts";
import { createWatchHub } from "./watch-hub.ts";

const CONFIG_MAPS = resourceOf("ConfigMap");
const all = { key: resourceKey(CONFIG_MAPS), namespace: undefined, matches: () => true };

function setUp(t: TestScope, capacity: number) {
  const store = openStore({ dir: tempDir(t), clock: createFakeClock(), log: silentLogger });
  t.after(() => store.close());
  const put = (name: string, labels: Record<string, string> = {}, namespace = "default") => {
    const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels } };
    store.put(CONFIG_MAPS, object, "any");
  };
  return { store, put, hub: createWatchHub(store, capacity) };
}

test("a watch from revision N sees what came after N once, then what comes", (t) => {
  const { put, hub } = setUp(t, 100);
  for (const name of ["a", "b", "c"]) put(name);
  const seen: string[] = [];
  const stop = hub.watch(all, 1, (type, object, revision) => seen.push(`${type} ${object.metadata.name} ${revision}`));
  put("a");
  stop();
  put("b");
  assert.deepEqual(seen, ["ADDED b 2", "ADDED c 3", "MODIFIED a 4"]);
  assert.equal(hub.watchers(), 0);
});

test("a revision that the ring has forgotten is refused with 410", (t) => {
  const { put, hub } = setUp(t, 4);
  for (let i = 0; i < 20; i++) put("a");
  const refused = (revision: number) =>
    assert.throws(
      () => hub.watch(all, revision, () => undefined),
      (error) => error instanceof StatusError && error.status.code === 410 && error.status.reason === "Expired",
    );
  refused(1);
  refused(21);
  hub.watch(all, 19, () => undefined)();
});

test("an object that stops matching is sent as DELETED, one that begins to match as ADDED", (t) => {
  const { store, put, hub } = setUp(t, 100);
  const seen: string[] = [];
  const matches = (object: KubeObject) => object.metadata.labels?.app === "web";
  const stop = hub.watch({ ...all, matches }, 0, (type, object) =>
    seen.push(`${type} ${object.metadata.resourceVersion}`),
  );
  put("a", { app: "db" });
  put("a", { app: "web" });
  put("a", { app: "web", x: "y" });
  put("a", { app: "db" });
  const a = store.get(CONFIG_MAPS, "default", "a");
  assert.ok(a);
  store.remove(CONFIG_MAPS, a);
  stop();
  assert.deepEqual(seen, ["ADDED 2", "MODIFIED 3", "DELETED 4"]);
});

test("a watch of one namespace does not see others", (t) => {
  const { put, hub } = setUp(t, 100);
  const seen: string[] = [];
  const stop = hub.watch({ ...all, namespace: "one" }, 0, (_, object) => seen.push(object.metadata.name));
  put("a", {}, "one");
  put("b", {}, "two");
  stop();
  assert.deepEqual(seen, ["a"]);
});
