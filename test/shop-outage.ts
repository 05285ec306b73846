/** The death of one container of the shop under load, and how long the shop takes to be itself again. */
import assert from "node:assert/strict";
import { eventually } from "@argyle/testkit";
import type { CheckoutLoad } from "./checkout-load.ts";
import type { MiniCluster } from "./mini-cluster.ts";
import { shopPods } from "./shop-deployment.ts";

export interface Outage {
  /** From the kill to the pod's being ready with one restart more, and to two checkouts of each customer after that. */
  readonly readySeconds: number;
  readonly backSeconds: number;
  readonly errors: Readonly<Record<string, number>>;
}

const BACK_WITHIN_MS = 30_000;

/** kill -9 of the container's process group; `container` is the workload's own if it is not said. */
export async function killUnderLoad(
  cluster: MiniCluster,
  workload: string,
  load: CheckoutLoad,
  container = workload,
): Promise<Outage> {
  const find = async () => {
    const pod = (await shopPods(cluster)).find(({ name }) => name === workload);
    assert.ok(pod, `${workload} has a pod`);
    return pod;
  };
  const { podName, restarts } = await find();
  const pid = await cluster.pidOf(`sock-shop/${podName}/${container}`);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  process.kill(-pid, "SIGKILL");
  await eventually(
    `${container} is restarted and ready`,
    async () => {
      const pod = await find();
      assert.equal(pod.restarts, restarts + 1);
      assert.ok(pod.isReady);
    },
    BACK_WITHIN_MS,
    100,
  );
  const readySeconds = seconds();
  await goesOn(load, `after ${container} died`);
  return { readySeconds, backSeconds: seconds(), errors: load.takeErrors() };
}

/** Two rounds of all customers: whoever waited in an outage has come through. */
export function goesOn(load: CheckoutLoad, when: string): Promise<void> {
  const wanted = load.acknowledged() + 2 * load.customers;
  return eventually(
    `customers check out ${when}`,
    () => assert.ok(load.acknowledged() >= wanted, `${load.acknowledged()} of ${wanted}`),
    BACK_WITHIN_MS,
  );
}

export function describeErrors(errors: Readonly<Record<string, number>>): string {
  const entries = Object.entries(errors);
  return entries.length === 0 ? "no errors" : entries.map(([what, count]) => `${count} × ${what}`).join(", ");
}
