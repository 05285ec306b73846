import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger, systemClock } from "@argyle/core";
import { eventually, tempDir } from "@argyle/testkit";
import type { Sidecar } from "./sidecar.ts";
import { startWorker } from "./worker.ts";

test("hosts what the directory says and drains what goes", async (t) => {
  const directory = tempDir(t);
  const events: string[] = [];
  let release: () => void = () => undefined;
  const spec = (podIP: string) =>
    JSON.stringify({ podIP, podUid: "u", containerName: "istio-proxy", args: [], env: {}, rootfs: "/", log: "/x" });
  writeFileSync(join(directory, "10.244.0.1.json"), spec("10.244.0.1"));
  writeFileSync(join(directory, "10.244.0.9.state"), "{}");
  const held = () => readdirSync(join(directory, "held")).sort();
  for (const uid of ["u", "gone"]) mkdirSync(join(directory, "held", uid), { recursive: true });
  const worker = startWorker({
    directory,
    heldDir: join(directory, "held"),
    clock: systemClock,
    log: silentLogger,
    pid: 7,
    drainMs: 1000,
    async start(of) {
      events.push(`start ${of.podIP}`);
      return {
        spec: of,
        drain: () =>
          new Promise<void>((resolve) => {
            events.push(`drain ${of.podIP}`);
            release = resolve;
          }),
        close: () => void events.push(`close ${of.podIP}`),
        ready: of.podIP === "10.244.0.2" ? Promise.resolve() : new Promise<void>(() => undefined),
        ended: new Promise<void>(() => undefined),
      } as Partial<Sidecar> as Sidecar;
    },
  });
  const state = (ip: string) =>
    JSON.parse(readFileSync(join(directory, `${ip}.state`), "utf8")) as {
      pid: number;
      state: string;
      isReady?: boolean;
    };
  await eventually("running", () =>
    assert.deepEqual([state("10.244.0.1").pid, state("10.244.0.1").state], [7, "running"]),
  );
  assert.equal(existsSync(join(directory, "10.244.0.9.state")), false, "the state of a pod that is gone must go");
  assert.deepEqual(held(), ["u"], "what a pod held that is gone must go");
  writeFileSync(join(directory, "10.244.0.2.json"), spec("10.244.0.2"));
  await eventually("second", () => assert.equal(state("10.244.0.2").state, "running"));
  await eventually("second ready", () => assert.equal(state("10.244.0.2").isReady, true));
  assert.equal(state("10.244.0.1").isReady, undefined);
  rmSync(join(directory, "10.244.0.1.json"));
  await eventually("draining", () => assert.equal(state("10.244.0.1").state, "draining"));
  release();
  await eventually("gone", () => assert.equal(existsSync(join(directory, "10.244.0.1.state")), false));
  assert.deepEqual(held(), []);
  assert.deepEqual(events, ["start 10.244.0.1", "start 10.244.0.2", "drain 10.244.0.1", "close 10.244.0.1"]);
  const closing = worker.close();
  release();
  await closing;
});

test("a proxy whose pod was killed is closed at once, without draining", async (t) => {
  const directory = tempDir(t);
  const events: string[] = [];
  const text = JSON.stringify({ podIP: "10.244.0.1", podUid: "u", containerName: "istio-proxy" });
  writeFileSync(join(directory, "10.244.0.1.json"), text);
  writeFileSync(join(directory, "10.244.0.9.killed"), text);
  const worker = startWorker({
    directory,
    heldDir: join(directory, "held"),
    clock: systemClock,
    log: silentLogger,
    pid: 7,
    drainMs: 60_000,
    async start(of) {
      const sidecar: Partial<Sidecar> = {
        spec: of,
        drain: async () => void events.push("drain"),
        close: () => void events.push("close"),
        ready: new Promise<void>(() => undefined),
        ended: new Promise<void>(() => undefined),
      };
      return sidecar as Sidecar;
    },
  });
  t.after(() => worker.close());
  await eventually("hosted", () => assert.ok(worker.hosted.has("10.244.0.1")));
  renameSync(join(directory, "10.244.0.1.json"), join(directory, "10.244.0.1.killed"));
  await eventually("gone", () => assert.deepEqual(readdirSync(directory), []));
  assert.deepEqual(events, ["close"]);
});

test("a proxy that was told to quit is gone alone, and hosted again when its file is written again", async (t) => {
  const directory = tempDir(t);
  const quits: (() => void)[] = [];
  const spec = (podIP: string) =>
    JSON.stringify({ podIP, podUid: "u", containerName: "istio-proxy", args: [], env: {}, rootfs: "/", log: "/x" });
  for (const ip of ["10.244.0.1", "10.244.0.2"]) writeFileSync(join(directory, `${ip}.json`), spec(ip));
  const worker = startWorker({
    directory,
    heldDir: join(directory, "held"),
    clock: systemClock,
    log: silentLogger,
    pid: 7,
    drainMs: 0,
    async start(of) {
      const sidecar: Partial<Sidecar> = {
        spec: of,
        drain: async () => undefined,
        close: () => undefined,
        ready: new Promise<void>(() => undefined),
        ended: new Promise<void>((resolve) => {
          if (of.podIP === "10.244.0.1") quits.push(resolve);
        }),
      };
      return sidecar as Sidecar;
    },
  });
  t.after(() => worker.close());
  const hasState = (ip: string) => existsSync(join(directory, `${ip}.state`));
  await eventually("both", () => assert.ok(hasState("10.244.0.1") && hasState("10.244.0.2")));
  quits[0]?.();
  await eventually("one gone", () => assert.equal(hasState("10.244.0.1"), false));
  worker.scan();
  assert.deepEqual([...worker.hosted.keys()], ["10.244.0.2"]);
  assert.equal(quits.length, 1, "was hosted again by itself");
  // The kubelet restarts the container: the same text in a new file.
  writeFileSync(join(directory, "10.244.0.1.new"), spec("10.244.0.1"));
  renameSync(join(directory, "10.244.0.1.new"), join(directory, "10.244.0.1.json"));
  await eventually("hosted again", () => assert.ok(hasState("10.244.0.1") && quits.length === 2));
  assert.ok(hasState("10.244.0.2"));
});
