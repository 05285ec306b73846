/** All controllers against the in-memory API, with a hand-cranked clock and a kubelet that only writes statuses. */
import { silentLogger } from "@argyle/core";
import { createEventRecorder } from "@argyle/kube-client";
import type { Deployment, Event, KubeObject, Pod, Resource } from "@argyle/kube-types";
import { createFakeClock, type FakeClock, settle } from "@argyle/testkit";
import { createMemoryApi, type MemoryApi } from "../../kube-client/test/memory-api.ts";
import { startControllers } from "../src/all.ts";
import type { Controller } from "../src/controller.ts";
import { createInformerSet, KINDS } from "../src/controller.ts";

export interface Harness {
  readonly api: MemoryApi;
  readonly clock: FakeClock;
  /** Lets time pass in small steps, so that chains of writes and watches run to their end. */
  run(ms?: number): Promise<void>;
  pods(namespace?: string): readonly Pod[];
  events(reason: string): readonly string[];
  names(resource: Resource): readonly string[];
  close(): Promise<void>;
}

interface Scope {
  after(fn: () => Promise<void>): void;
}

/** A linear congruential generator: the same names in every run. */
export function seededRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

export async function startAll(t: Scope): Promise<Harness> {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  const controllers = startControllers({
    client: api.client,
    clock,
    log: silentLogger,
    random: seededRandom(),
    clusterCa: "CA",
  });
  const harness = harnessOf(api, clock, () => controllers.close());
  t.after(() => harness.close());
  await controllers.started;
  return harness;
}

/** One controller alone. */
export async function startOne(t: Scope, controller: Controller): Promise<Harness> {
  const clock = createFakeClock();
  const api = createMemoryApi({ clock });
  const deps = { client: api.client, clock, log: silentLogger, random: seededRandom() };
  const informers = createInformerSet(deps);
  const events = createEventRecorder({ ...deps, component: controller.name });
  await Promise.all(controller.needs.map((resource) => informers.of(resource).synced));
  const running = controller.start({ ...deps, events, informer: informers.of });
  const harness = harnessOf(api, clock, async () => {
    await running.close();
    await events.close();
    await informers.close();
  });
  t.after(() => harness.close());
  return harness;
}

function harnessOf(api: MemoryApi, clock: FakeClock, close: () => Promise<void>): Harness {
  return {
    api,
    clock,
    async run(ms = 100) {
      const steps = 20;
      for (let i = 0; i < steps; i++) {
        await clock.advance(ms / steps);
        await settle();
      }
    },
    pods: (namespace) =>
      api.all<Pod>(KINDS.pod).filter((pod) => namespace === undefined || pod.metadata.namespace === namespace),
    events: (reason) =>
      api
        .all<Event>(KINDS.event)
        .filter((event) => event.reason === reason)
        .map((event) => event.message ?? ""),
    names: (resource) =>
      api
        .all<KubeObject>(resource)
        .map((object) => object.metadata.name)
        .sort(),
    close,
  };
}

/** What the kubelet would do: every bound pod runs and is ready, deleted pods end. */
export async function playKubelet({ api }: Harness, isHealthy: (pod: Pod) => boolean = () => true): Promise<void> {
  for (const pod of api.all<Pod>(KINDS.pod)) {
    const ref = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name };
    if (pod.metadata.deletionTimestamp !== undefined) {
      await api.client.delete(KINDS.pod, ref, { gracePeriodSeconds: 0 });
      continue;
    }
    if (pod.spec.nodeName === undefined || pod.status?.phase === "Running") continue;
    await setReady({ api }, pod, isHealthy(pod));
  }
}

let nextIp = 1;

export async function setReady({ api }: Pick<Harness, "api">, pod: Pod, ready: boolean): Promise<void> {
  const ref = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name };
  const podIP = pod.status?.podIP ?? `10.244.0.${nextIp++}`;
  const condition = { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2023-11-14T22:13:20Z" };
  const status = { phase: "Running", podIP, conditions: [condition] };
  await api.client.patch(KINDS.pod, ref, "merge", { status }, { subresource: "status" });
}

export async function addNode({ api }: Pick<Harness, "api">, spec: unknown = {}): Promise<void> {
  await api.client.create(KINDS.node, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "argyle", labels: { "kubernetes.io/os": "linux" } },
    spec,
    status: { conditions: [{ type: "Ready", status: "True" }] },
  });
}

/** Controllers and kubelet take turns until nothing is left to do. */
export async function converge(harness: Harness, isHealthy: (pod: Pod) => boolean = () => true): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await harness.run();
    await playKubelet(harness, isHealthy);
  }
  await harness.run();
}

export function deployment(name: string, more: Partial<Deployment["spec"]> = {}, labels = { name }): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "shop" },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "app:1" }] } },
      ...more,
    },
  };
}
