import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { type Event, resourceOf } from "@argyle/kube-types";
import { createFakeClock, settle } from "@argyle/testkit";
import { createMemoryApi } from "../test/memory-api.ts";
import { createEventRecorder } from "./event-recorder.ts";

const events = resourceOf("Event", "");
const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "a", uid: "u1" } };

function setUp() {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  const recorder = createEventRecorder({
    client: api.client,
    clock,
    log: silentLogger,
    component: "kubelet",
    random: () => 0.5,
  });
  const all = () => api.all<Event>(events).map((e) => `${e.type} ${e.reason} ${e.count} ${e.message}`);
  return { clock, api, recorder, all };
}

test("counts equal events on one object", async () => {
  const { clock, api, recorder, all } = setUp();
  recorder.event(pod, "Warning", "BackOff", "back-off restarting");
  await recorder.flush();
  await clock.advance(5000);
  recorder.event(pod, "Warning", "BackOff", "back-off restarting");
  recorder.event(pod, "Warning", "BackOff", "back-off restarting");
  recorder.event(pod, "Normal", "Started", "started");
  await recorder.flush();
  assert.deepEqual(all(), ["Warning BackOff 3 back-off restarting", "Normal Started 1 started"]);
  const [first] = api.all<Event>(events);
  assert.equal(first?.firstTimestamp, "2023-11-14T22:13:20Z");
  assert.equal(first?.lastTimestamp, "2023-11-14T22:13:25Z");
  assert.equal(first?.metadata.namespace, "a");
  assert.equal(first?.involvedObject.uid, "u1");
});

test("writes what was recorded while the server was away", async () => {
  const { clock, api, recorder, all } = setUp();
  api.setDown(true);
  recorder.event(pod, "Normal", "Pulled", "x");
  await clock.advance(3000);
  api.setDown(false);
  await clock.advance(10_000);
  assert.deepEqual(all(), ["Normal Pulled 1 x"]);
  await recorder.close();
});

test("creates the event anew when it has expired", async () => {
  const { api, recorder, all } = setUp();
  recorder.event(pod, "Normal", "Pulled", "x");
  await recorder.flush();
  for (const event of api.all<Event>(events))
    await api.client.delete(events, { namespace: "a", name: event.metadata.name });
  recorder.event(pod, "Normal", "Pulled", "x");
  await recorder.flush();
  assert.deepEqual(all(), ["Normal Pulled 2 x"]);
});

test("combines a flood of different messages for one reason", async () => {
  const { recorder, all } = setUp();
  for (let i = 0; i < 30; i++) recorder.event(pod, "Warning", "Unhealthy", `probe ${i} failed`);
  await recorder.flush();
  assert.equal(all().length, 11);
  assert.equal(all().at(-1), "Warning Unhealthy 20 (combined from similar events): probe 29 failed");
});

test("Normal events beyond a burst are written so many a second, a warning among them at once", async () => {
  const { clock, recorder, all } = setUp();
  for (let i = 0; i < 24; i++) recorder.event({ ...pod, fieldPath: `c${i}` }, "Normal", "Pulled", "x");
  recorder.event(pod, "Warning", "Failed", "y");
  await clock.advance(0);
  for (let i = 0; i < 60; i++) await settle();
  assert.deepEqual([all().length, all().at(-1)], [21, "Warning Failed 1 y"]);
  await clock.advance(100);
  assert.equal(all().length, 23);
  await clock.advance(1000);
  assert.equal(all().length, 25);
});

test("gives up on an event that the server refuses", async () => {
  const { clock, api, recorder, all } = setUp();
  api.intercept(() => {
    throw new Error("namespace is being terminated");
  });
  recorder.event(pod, "Normal", "Killing", "x");
  await recorder.flush();
  await settle();
  assert.deepEqual(all(), []);
  assert.equal(clock.pending(), 0);
});
