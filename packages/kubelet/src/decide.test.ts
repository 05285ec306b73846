import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod } from "@argyle/kube-types";
import { type ContainerRecord, newRecord, onExited, onStarted, onStartFailed, onStarting } from "./container-record.ts";
import { decide, type PodAction } from "./decide.ts";
import { computeStatus } from "./pod-status.ts";

const T0 = 1_700_000_000_000;

type State = "new" | "starting" | "running" | "ready" | "ok" | "failed" | "wasReady";

function recordIn(name: string, state: State): ContainerRecord {
  const starting = onStarting(newRecord(name), "i", "id");
  const running = onStarted(starting, 1, "s", T0);
  switch (state) {
    case "new":
      return newRecord(name);
    case "starting":
      return starting;
    case "running":
      return { ...running, started: true };
    case "ready":
      return { ...running, started: true, ready: true, wasReady: true };
    case "wasReady":
      return { ...running, started: true, wasReady: true };
    case "ok":
      return onExited(running, { code: 0, signal: null, at: T0 + 10 }, "c");
    case "failed":
      return onExited(running, { code: 1, signal: null, at: T0 + 10 }, "c");
  }
}

interface Case {
  readonly name: string;
  readonly init?: readonly (Partial<Container> & { readonly name: string })[];
  readonly main?: readonly string[];
  readonly policy?: "Always" | "OnFailure" | "Never";
  readonly deleting?: boolean;
  readonly states?: Readonly<Record<string, State>>;
  readonly now?: number;
  readonly actions: readonly string[];
  readonly phase: string;
}

const cases: readonly Case[] = [
  { name: "starts every container at once", main: ["a", "b"], actions: ["start a", "start b"], phase: "Pending" },
  {
    name: "starts the proxy first",
    main: ["app", "istio-proxy"],
    actions: ["start istio-proxy"],
    phase: "Pending",
  },
  {
    name: "holds the app until the proxy is ready",
    main: ["app", "istio-proxy"],
    states: { "istio-proxy": "running" },
    actions: [],
    phase: "Pending",
  },
  {
    name: "starts the app when the proxy is ready",
    main: ["app", "istio-proxy"],
    states: { "istio-proxy": "ready" },
    actions: ["start app"],
    phase: "Pending",
  },
  {
    name: "does not hold a restarted app back when the proxy was ready once",
    main: ["app", "istio-proxy"],
    states: { "istio-proxy": "wasReady", app: "failed" },
    now: T0 + 11,
    actions: ["start app"],
    phase: "Running",
  },
  {
    name: "runs init containers in order",
    init: [{ name: "i1" }, { name: "i2" }],
    actions: ["start i1"],
    phase: "Pending",
  },
  {
    name: "goes to the next init container when one has succeeded",
    init: [{ name: "i1" }, { name: "i2" }],
    states: { i1: "ok" },
    actions: ["start i2"],
    phase: "Pending",
  },
  {
    name: "restarts a failed init container",
    init: [{ name: "i1" }],
    states: { i1: "failed" },
    now: T0 + 11,
    actions: ["start i1"],
    phase: "Pending",
  },
  {
    name: "fails the pod for a failed init container that may not restart",
    init: [{ name: "i1" }],
    policy: "Never",
    states: { i1: "failed" },
    actions: [],
    phase: "Failed",
  },
  {
    name: "goes on once a native sidecar has started",
    init: [{ name: "s", restartPolicy: "Always" }],
    states: { s: "running" },
    actions: ["start a"],
    phase: "Pending",
  },
  { name: "leaves a running pod alone", states: { a: "ready" }, actions: [], phase: "Running" },
  {
    name: "restarts at once the first time",
    states: { a: "failed" },
    now: T0 + 11,
    actions: ["start a"],
    phase: "Running",
  },
  {
    name: "restarts what succeeded under Always",
    states: { a: "ok" },
    now: T0 + 11,
    actions: ["start a"],
    phase: "Running",
  },
  {
    name: "is done under OnFailure when it succeeded",
    policy: "OnFailure",
    states: { a: "ok" },
    actions: [],
    phase: "Succeeded",
  },
  { name: "has failed under Never", policy: "Never", states: { a: "failed" }, actions: [], phase: "Failed" },
  {
    name: "kills what runs when it is deleted",
    deleting: true,
    main: ["a", "b"],
    states: { a: "ready", b: "failed" },
    actions: ["kill a 5000"],
    phase: "Running",
  },
  {
    name: "is removed when nothing runs",
    deleting: true,
    states: { a: "failed" },
    actions: ["remove"],
    phase: "Running",
  },
  {
    name: "waits for a start that is under way",
    deleting: true,
    states: { a: "starting" },
    actions: [],
    phase: "Pending",
  },
];

function podOf(c: Case): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "n",
      uid: "u",
      ...(c.deleting === true ? { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 5 } : {}),
    },
    spec: {
      containers: (c.main ?? ["a"]).map((name) => ({ name, image: "i" })),
      ...(c.init === undefined ? {} : { initContainers: c.init.map((x) => ({ image: "i", ...x })) }),
      ...(c.policy === undefined ? {} : { restartPolicy: c.policy }),
    },
  };
}

for (const c of cases) {
  test(c.name, () => {
    const pod = podOf(c);
    const records = new Map(Object.entries(c.states ?? {}).map(([name, state]) => [name, recordIn(name, state)]));
    const now = c.now ?? T0 + 5;
    const decision = decide({ pod, records, now, isProxy: (x) => x.name === "istio-proxy" });
    assert.deepEqual(decision.actions.map(show), c.actions);
    const status = computeStatus({ pod, records, podIP: "10.244.0.2", hostIP: "127.0.0.1", now, startTime: T0 });
    assert.equal(status.phase, c.phase);
  });
}

function show(action: PodAction): string {
  switch (action.kind) {
    case "start":
      return `start ${action.container}`;
    case "kill":
      return `kill ${action.container} ${action.graceMs}`;
    case "remove":
      return "remove";
  }
}

test("backs off 0, 10, 20, 40 … 300 seconds, and starts over after ten minutes of running", () => {
  let record = newRecord("a");
  let now = T0;
  const delays: number[] = [];
  for (let i = 0; i < 8; i++) {
    record = onStarted(onStarting(record, "i", "id"), 1, "s", now);
    record = onExited(record, { code: 1, signal: null, at: now + 1000 }, "c");
    delays.push((record.notBefore - now - 1000) / 1000);
    now = record.notBefore;
  }
  assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
  record = onStarted(onStarting(record, "i", "id"), 1, "s", now);
  record = onExited(record, { code: 1, signal: null, at: now + 600_000 }, "c");
  assert.equal(record.notBefore, now + 600_000);
  assert.equal(record.restartCount, 8);
});

test("shows CrashLoopBackOff with the last exit while it waits, and wakes when the wait ends", () => {
  const c: Case = { name: "", actions: [], phase: "" };
  let record = recordIn("a", "failed");
  record = onStarted(onStarting(record, "i", "id"), 2, "s", T0 + 20);
  record = onExited(record, { code: null, signal: "SIGKILL", at: T0 + 30 }, "c2");
  const records = new Map([["a", record]]);
  const pod = podOf(c);
  const decision = decide({ pod, records, now: T0 + 31, isProxy: () => false });
  assert.deepEqual(decision, { actions: [], wakeAt: T0 + 30 + 10_000 });
  const status = computeStatus({ pod, records, podIP: "x", hostIP: "h", now: T0 + 31, startTime: T0 });
  const shown = status.containerStatuses?.[0];
  assert.equal(shown?.state?.waiting?.reason, "CrashLoopBackOff");
  assert.match(shown?.state?.waiting?.message ?? "", /back-off 10s restarting failed container=a pod=p_n\(u\)/);
  assert.equal(shown?.lastState?.terminated?.exitCode, 137);
  assert.equal(shown?.restartCount, 1);
});

test("a start that failed is not a restart and is tried again later", () => {
  const record = onStartFailed(onStarting(newRecord("a"), "i", "id"), "CreateContainerConfigError", "no", T0);
  assert.equal(record.restartCount, 0);
  assert.equal(record.starts, 0);
  assert.equal(record.notBefore, T0 + 10_000);
});

test("keeps conditions of others and moves a transition time only when the status changes", () => {
  const old = "2020-01-01T00:00:00Z";
  const pod: Pod = {
    ...podOf({ name: "", actions: [], phase: "" }),
    status: {
      conditions: [
        { type: "PodScheduled", status: "True", lastTransitionTime: old },
        { type: "Initialized", status: "True", lastTransitionTime: old },
        { type: "Ready", status: "False", lastTransitionTime: old },
        { type: "x/gate", status: "True" },
      ],
    },
  };
  const records = new Map([["a", recordIn("a", "ready")]]);
  const { conditions = [] } = computeStatus({ pod, records, podIP: "x", hostIP: "h", now: T0, startTime: T0 });
  const by = (type: string) => conditions.find((c) => c.type === type);
  assert.equal(by("PodScheduled")?.lastTransitionTime, old);
  assert.equal(by("Initialized")?.lastTransitionTime, old);
  assert.equal(by("Ready")?.status, "True");
  assert.equal(by("Ready")?.lastTransitionTime, "2023-11-14T22:13:20Z");
  assert.ok(by("x/gate"));
});
