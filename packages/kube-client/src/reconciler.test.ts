import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { type ConfigMap, resourceOf } from "@argyle/kube-types";
import { createFakeClock, settle } from "@argyle/testkit";
import { createMemoryApi } from "../test/memory-api.ts";
import { createInformer } from "./informer.ts";
import { createReconciler } from "./reconciler.ts";

test("reconciles the keys of both states of a modified object, retries failures and honours requeueAfterMs", async (t) => {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  const configMaps = resourceOf("ConfigMap");
  const informer = createInformer<ConfigMap>({ client: api.client, resource: configMaps, clock, log: silentLogger });
  t.after(() => informer.close());
  await informer.synced;
  const worked: string[] = [];
  let failures = 1;
  const reconciler = createReconciler({
    name: "test",
    clock,
    log: silentLogger,
    random: () => 0,
    async reconcile(key) {
      worked.push(`${clock.monotonic()} ${key}`);
      if (key === "x" && failures-- > 0) throw new Error("once");
      return key === "x" ? { requeueAfterMs: 500 } : undefined;
    },
  });
  reconciler.watch(informer, (object) => [object.data?.key ?? ""]);
  await api.client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "m", namespace: "a" },
    ...{ data: { key: "x" } },
  });
  await clock.advance(100);
  await api.client.patch(configMaps, { namespace: "a", name: "m" }, "merge", { data: { key: "y" } });
  await settle();
  assert.deepEqual(worked, ["0 x", "10 x", "100 y", "100 x"]);
  await clock.advance(500);
  assert.deepEqual(worked.slice(4), ["510 x"]);
  await reconciler.close();
  await informer.close();
  assert.equal(clock.pending(), 0);
});
