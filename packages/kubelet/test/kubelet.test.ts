import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { resourceOf } from "@argyle/kube-types";
import { eventually } from "@argyle/testkit";
import { PODS, startHarness } from "./harness.ts";

const sh = (name: string, script: string) => ({ name, image: "host", command: ["/bin/sh", "-c", script] });

test("runs a pod to Running and Ready, with its environment, log and events", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({
    containers: [{ ...sh("a", "echo hello $WHO from $HOSTNAME; exec sleep 100"), env: [{ name: "WHO", value: "me" }] }],
  });
  const pod = await eventually("ready", () => {
    const found = h.pod();
    assert.equal(found?.status?.conditions?.find((c) => c.type === "Ready")?.status, "True");
    return found;
  });
  assert.equal(pod?.status?.phase, "Running");
  assert.equal(pod?.status?.podIP, "10.244.0.2");
  const log = join(h.stateDir, "pods", pod?.metadata.uid ?? "", "a/0.log");
  await eventually("the log", () => assert.match(readFileSync(log, "utf8"), /^\S+Z stdout F hello me from p\n$/));
  await eventually("events", () => {
    for (const reason of ["Pulled", "Created", "Started", "NotCaptured"])
      assert.ok(h.reasons().includes(reason), reason);
  });
  assert.equal(h.api.object("Node", "argyle")?.metadata.name, "argyle");
});

test("finishes a pod that is not restarted, with exit code and phase", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({ restartPolicy: "Never", containers: [sh("ok", "exit 0"), sh("bad", "exit 3")] });
  await eventually("failed", () => assert.equal(h.pod()?.status?.phase, "Failed"));
  const codes = h.pod()?.status?.containerStatuses?.map((c) => c.state?.terminated?.exitCode);
  assert.deepEqual(codes, [0, 3]);
});

test("restarts at once, then shows CrashLoopBackOff", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({ containers: [sh("a", "exit 1")] });
  await eventually("back-off", () => {
    const status = h.pod()?.status?.containerStatuses?.[0];
    assert.equal(status?.state?.waiting?.reason, "CrashLoopBackOff");
    assert.equal(status?.restartCount, 1);
  });
  await eventually("the event", () => assert.ok(h.reasons().includes("BackOff")));
});

test("runs init containers in order before the others", async (t) => {
  const h = await startHarness(t);
  await h.start();
  const volume = { name: "v", emptyDir: {} };
  const volumeMounts = [{ name: "v", mountPath: "/argyle-shared" }];
  const file = "$ARGYLE_CONTAINER_ROOTFS/argyle-shared/x";
  h.apply({
    restartPolicy: "Never",
    volumes: [volume],
    initContainers: [
      { ...sh("i1", `sleep 0.1; echo one >> ${file}`), volumeMounts },
      { ...sh("i2", `echo two >> ${file}`), volumeMounts },
    ],
    containers: [{ ...sh("a", `test "$(cat ${file} | tr '\\n' ' ')" = "one two "`), volumeMounts }],
  });
  await eventually("done", () => assert.equal(h.pod()?.status?.phase, "Succeeded"));
});

test("ends a deleted pod with SIGTERM and removes it from the API server and from disk", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({ containers: [sh("a", "trap 'echo bye; exit 0' TERM; while true; do sleep 0.05; done")] });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  await h.api.delete(PODS, { namespace: "ns", name: "p" }, { gracePeriodSeconds: 5 });
  await eventually("gone", async () => {
    assert.equal(h.pod(), undefined);
    assert.deepEqual(await h.supervisor.list(), []);
  });
});

test("kills what ignores SIGTERM when the grace period is over", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({ containers: [sh("a", "trap '' TERM; while true; do sleep 0.05; done")] });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  await h.api.delete(PODS, { namespace: "ns", name: "p" }, { gracePeriodSeconds: 1 });
  await eventually("gone", () => assert.equal(h.pod(), undefined), 4000);
});

test("a new kubelet adopts running containers and learns of those that ended meanwhile", async (t) => {
  const h = await startHarness(t);
  const first = await h.start();
  h.apply({
    restartPolicy: "Never",
    containers: [sh("stays", "exec sleep 100"), sh("ends", "while [ ! -e go ]; do sleep 0.02; done; exit 4")],
  });
  await eventually("running", () => assert.ok(h.pod()?.status?.containerStatuses?.every((c) => c.ready)));
  const before = await h.supervisor.list();
  await first.close();
  const uid = h.pod()?.metadata.uid ?? "";
  await import("node:fs").then((fs) => fs.writeFileSync(join(h.stateDir, "pods", uid, "ends/go"), ""));
  await eventually("ended", async () => assert.ok((await h.supervisor.list()).some((p) => p.state === "exited")));
  await h.start();
  await eventually("status", () => {
    const [stays, ends] = h.pod()?.status?.containerStatuses ?? [];
    assert.ok(stays?.state?.running !== undefined && stays.ready);
    assert.equal(stays.restartCount, 0);
    assert.equal(ends?.state?.terminated?.exitCode, 4);
  });
  const stays = (list: typeof before) => list.find((p) => p.name.includes("/stays/"))?.pid;
  assert.equal(stays(await h.supervisor.list()), stays(before));
});

test("ends the processes of a pod that was deleted while no kubelet ran", async (t) => {
  const h = await startHarness(t);
  const first = await h.start();
  h.apply({ containers: [sh("a", "exec sleep 100")] });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  await first.close();
  await h.api.delete(PODS, { namespace: "ns", name: "p" }, { gracePeriodSeconds: 0 });
  await h.start();
  await eventually("ended", async () => assert.ok((await h.supervisor.list()).every((p) => p.state === "exited")));
});

test("an unknown image waits with advice and an Event", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({ containers: [{ name: "a", image: "nginx:1" }] });
  await eventually("waiting", () => {
    const waiting = h.pod()?.status?.containerStatuses?.[0]?.state?.waiting;
    assert.equal(waiting?.reason, "ErrImageNotInIndex");
    assert.match(waiting?.message ?? "", /image: host with a command/);
  });
  await eventually("the event", () => assert.ok(h.reasons().includes("Failed")));
});

test("waits for a ConfigMap that is missing and updates its volume when it changes", async (t) => {
  const h = await startHarness(t);
  await h.start();
  h.apply({
    volumes: [{ name: "v", configMap: { name: "cm" } }],
    containers: [{ ...sh("a", "exec sleep 100"), volumeMounts: [{ name: "v", mountPath: "/argyle-cm" }] }],
  });
  await eventually("FailedMount", () => assert.ok(h.reasons().includes("FailedMount")));
  assert.equal(h.pod()?.status?.phase, "Pending");
  const configMap = (value: string) =>
    h.api.put(resourceOf("ConfigMap", ""), {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "ns", name: "cm" },
      ...{ data: { key: value } },
    });
  configMap("1");
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  const file = join(h.stateDir, "pods", h.pod()?.metadata.uid ?? "", "rootfs/argyle-cm/key");
  assert.equal(readFileSync(file, "utf8"), "1");
  configMap("2");
  await eventually("the new value", () => assert.equal(readFileSync(file, "utf8"), "2"));
});

test("a failing liveness probe restarts the container", async (t) => {
  const h = await startHarness(t);
  await h.start();
  const livenessProbe = { exec: { command: ["test", "-e", "alive"] }, periodSeconds: 1, failureThreshold: 1 };
  h.apply({ containers: [{ ...sh("a", "touch alive; sleep 0.2; rm alive; exec sleep 100"), livenessProbe }] });
  await eventually("restarted", () => assert.equal(h.pod()?.status?.containerStatuses?.[0]?.restartCount, 1));
  await eventually("events", () => assert.ok(h.reasons().includes("Unhealthy") && h.reasons().includes("Killing")));
});
