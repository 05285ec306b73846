import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "./object.ts";
import { resourceOf } from "./registry.ts";
import { toTable } from "./table.ts";
import { humanDuration } from "./tables/human-duration.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const metadata = { name: "x", creationTimestamp: "2026-11-22T11:55:30Z" };
const status = (name: string, state: object, more: object = {}) => ({
  name,
  ready: false,
  restartCount: 0,
  image: "",
  imageID: "",
  state,
  ...more,
});
const running = (name: string, more: object = {}) => status(name, { running: {} }, { ready: true, ...more });
const pod = (podStatus: object, more: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...metadata, ...more },
  spec: { containers: [{ name: "a" }, { name: "b" }], ...spec },
  status: podStatus,
});
const cells = (object: KubeObject) => toTable(resourceOf(object.kind), [object], { nowMs: NOW }).rows[0]?.cells ?? [];

const pods = [
  { name: "pending", pod: pod({ phase: "Pending" }), shows: ["0/2", "Pending", "0"] },
  {
    name: "running",
    pod: pod({ phase: "Running", containerStatuses: [running("a"), running("b")] }),
    shows: ["2/2", "Running", "0"],
  },
  {
    name: "crash looping, restarted",
    pod: pod({
      phase: "Running",
      containerStatuses: [
        running("a"),
        status(
          "b",
          { waiting: { reason: "CrashLoopBackOff" } },
          { restartCount: 3, lastState: { terminated: { exitCode: 1, finishedAt: "2026-11-22T11:59:00Z" } } },
        ),
      ],
    }),
    shows: ["1/2", "CrashLoopBackOff", "3 (60s ago)"],
  },
  {
    name: "an image that is not there",
    pod: pod({ phase: "Pending", containerStatuses: [status("a", { waiting: { reason: "ErrImagePull" } })] }),
    shows: ["0/2", "ErrImagePull", "0"],
  },
  {
    name: "completed",
    pod: pod({
      phase: "Succeeded",
      containerStatuses: [status("a", { terminated: { exitCode: 0, reason: "Completed" } })],
    }),
    shows: ["0/2", "Completed", "0"],
  },
  {
    name: "exit without reason",
    pod: pod({ phase: "Failed", containerStatuses: [status("a", { terminated: { exitCode: 7 } })] }),
    shows: ["0/2", "ExitCode:7", "0"],
  },
  {
    name: "one container done, one running and ready",
    pod: pod({
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [status("a", { terminated: { exitCode: 0, reason: "Completed" } }), running("b")],
    }),
    shows: ["1/2", "Running", "0"],
  },
  {
    name: "terminating",
    pod: pod({ phase: "Running", containerStatuses: [running("a")] }, { deletionTimestamp: "2026-11-22T11:59:59Z" }),
    shows: ["1/2", "Terminating", "0"],
  },
  {
    name: "first of two init containers",
    pod: pod(
      { phase: "Pending", initContainerStatuses: [status("i", { running: {} }), status("j", { waiting: {} })] },
      {},
      { initContainers: [{ name: "i" }, { name: "j" }] },
    ),
    shows: ["0/2", "Init:0/2", "0"],
  },
  {
    name: "init container failing",
    pod: pod(
      { phase: "Pending", initContainerStatuses: [status("i", { waiting: { reason: "CrashLoopBackOff" } })] },
      {},
      { initContainers: [{ name: "i" }] },
    ),
    shows: ["0/2", "Init:CrashLoopBackOff", "0"],
  },
  {
    name: "native sidecar counts",
    pod: pod(
      {
        phase: "Running",
        initContainerStatuses: [running("i", { started: true })],
        containerStatuses: [running("a"), running("b")],
      },
      {},
      { initContainers: [{ name: "i", restartPolicy: "Always" }] },
    ),
    shows: ["3/3", "Running", "0"],
  },
];
for (const c of pods) {
  test(`pod: ${c.name}`, () => assert.deepEqual(cells(c.pod).slice(1, 5), [...c.shows, "4m30s"]));
}

const others: readonly { readonly object: KubeObject; readonly shows: readonly unknown[] }[] = [
  {
    object: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      ...{
        spec: {
          replicas: 2,
          selector: { matchLabels: { b: "2", a: "1" } },
          template: { spec: { containers: [{ name: "c", image: "i:1" }] } },
        },
        status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
      },
    },
    shows: ["x", "1/2", 2, 1, "4m30s", "c", "i:1", "a=1,b=2"],
  },
  {
    object: {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      ...{
        spec: {
          type: "LoadBalancer",
          clusterIP: "10.96.0.7",
          ports: [
            { port: 80, nodePort: 30080, protocol: "TCP" },
            { port: 53, protocol: "UDP" },
          ],
          selector: { app: "x" },
        },
      },
    },
    shows: ["x", "LoadBalancer", "10.96.0.7", "<pending>", "80:30080/TCP,53/UDP", "4m30s", "app=x"],
  },
  {
    object: {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata,
      ...{
        subsets: [{ addresses: ["1", "2", "3", "4"].map((n) => ({ ip: `10.244.0.${n}` })), ports: [{ port: 80 }] }],
      },
    },
    shows: ["x", "10.244.0.1:80,10.244.0.2:80,10.244.0.3:80 + 1 more...", "4m30s"],
  },
  {
    object: {
      apiVersion: "v1",
      kind: "Node",
      metadata: { ...metadata, labels: { "node-role.kubernetes.io/control-plane": "" } },
      status: { conditions: [{ type: "Ready", status: "True" }], nodeInfo: { kubeletVersion: "v1.34.2" } },
    },
    shows: [
      "x",
      "Ready",
      "control-plane",
      "4m30s",
      "v1.34.2",
      "<none>",
      "<none>",
      "<unknown>",
      "<unknown>",
      "<unknown>",
    ],
  },
  {
    object: {
      apiVersion: "v1",
      kind: "Event",
      metadata,
      ...{
        involvedObject: { kind: "Pod", name: "p", fieldPath: "spec.containers{a}" },
        type: "Warning",
        reason: "BackOff",
        message: "Back-off\n",
        count: 4,
        firstTimestamp: "2026-11-22T11:58:00Z",
        lastTimestamp: "2026-11-22T11:59:30Z",
        source: { component: "kubelet", host: "n" },
      },
    },
    shows: ["30s", "Warning", "BackOff", "pod/p", "spec.containers{a}", "kubelet, n", "Back-off", "2m", 4, "x"],
  },
  {
    object: {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata,
      spec: { gateways: ["web"], hosts: ["a", "b"] },
    },
    shows: ["x", '["web"]', '["a","b"]', "4m30s"],
  },
  {
    object: { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata, spec: {} },
    shows: ["x", null, "4m30s"],
  },
];
for (const c of others) {
  test(`table of ${c.object.kind}`, () => {
    assert.deepEqual(cells(c.object), c.shows);
    const table = toTable(resourceOf(c.object.kind), [c.object], { nowMs: NOW });
    assert.equal(table.columnDefinitions.length, c.shows.length);
  });
}

test("rows carry metadata, the object or nothing", () => {
  const object = pod({});
  const row = (includeObject: "None" | "Metadata" | "Object") =>
    toTable(resourceOf("Pod"), [object], { nowMs: NOW, includeObject, resourceVersion: "7" }).rows[0];
  assert.deepEqual(row("Metadata")?.object, {
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: object.metadata,
  });
  assert.deepEqual(row("Object")?.object, object);
  assert.equal("object" in (row("None") ?? {}), false);
});

for (const [seconds, text] of [
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [599, "9m59s"],
  [600, "10m"],
  [3 * 3600, "3h"],
  [7 * 3600 + 60, "7h1m"],
  [47 * 3600, "47h"],
  [50 * 3600, "2d2h"],
  [10 * 86_400, "10d"],
  [800 * 86_400, "2y70d"],
] as const) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(humanDuration(seconds * 1000), text));
}
