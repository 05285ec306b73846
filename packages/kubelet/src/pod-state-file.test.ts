import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createFakeClock, tempDir } from "@argyle/testkit";
import { createPodStateStore, type PodState } from "./pod-state-file.ts";

const state = (uid: string, podIP: string): PodState => ({
  uid,
  namespace: "a",
  name: uid,
  podIP,
  startTime: 1,
  records: [],
});

function setUp(t: TestContext) {
  const stateDir = tempDir(t);
  const clock = createFakeClock();
  const dir = join(stateDir, "kubelet/pods");
  const open = () => createPodStateStore(stateDir, clock, silentLogger);
  return { clock, dir, open, files: () => readdirSync(dir).sort() };
}

test("the last state is read again, and one file a pod is kept", (t) => {
  const { open, files } = setUp(t);
  const store = open();
  store.save(state("u1", "10.244.0.1"));
  store.save(state("u1", "10.244.0.2"));
  store.save(state("u2", "10.244.0.3"));
  assert.deepEqual(files(), ["u1.2.json", "u2.1.json"]);
  const next = open();
  const ips = () =>
    next
      .load()
      .map(({ podIP }) => podIP)
      .sort();
  assert.deepEqual(ips(), ["10.244.0.2", "10.244.0.3"]);
  next.save(state("u1", "10.244.0.4"));
  next.remove("u2");
  assert.deepEqual(files(), ["u1.3.json"]);
});

test("a state that was being written when the process died is not read, the one before is; so is an earlier version's", (t) => {
  const { open, files, dir } = setUp(t);
  const store = open();
  store.save(state("u1", "10.244.0.1"));
  writeFileSync(join(dir, "u1.2.json"), '{"uid":"u1","po');
  writeFileSync(join(dir, "u2.json"), JSON.stringify(state("u2", "10.244.0.2")));
  const next = open();
  const ips = next.load().map(({ podIP }) => podIP);
  assert.deepEqual(ips.sort(), ["10.244.0.1", "10.244.0.2"]);
  next.save(state("u2", "10.244.0.3"));
  assert.deepEqual(files(), ["u1.1.json", "u2.1.json"]);
});

test("what may wait is written together, at the latest when the store is closed, and never after a removal", async (t) => {
  const { open, files, clock } = setUp(t);
  const store = open();
  let reads = 0;
  const current = () => {
    reads += 1;
    return state("u1", `10.244.0.${reads}`);
  };
  for (let i = 0; i < 5; i++) store.saveSoon("u1", current);
  assert.deepEqual(files(), []);
  await clock.advance(200);
  assert.deepEqual([reads, files()], [1, ["u1.1.json"]]);
  store.saveSoon("u1", current);
  store.saveSoon("u2", () => state("u2", "10.244.0.9"));
  store.remove("u2");
  store.close();
  assert.deepEqual([reads, files(), clock.pending()], [2, ["u1.2.json"], 0]);
});
