/**
 * The forward proxy's variables for programs without the preload (pod-network/http-proxy.ts). Node programs do not get them: they have the preload, and
 * grpc-js and others would take the proxy instead. A variable that the container sets itself stays.
 */
import { type Clock, MeshError, sleep } from "@argyle/core";
import type { Pod } from "@argyle/kube-types";
import { type HttpProxyAddress, httpProxyEnvironment, readHttpProxyAddress } from "@argyle/pod-network";
import type { ContainerPlan } from "./container-plan.ts";

export interface ProxyEnvironmentInputs {
  readonly plan: Pick<ContainerPlan, "env">;
  /** Of the program that is about to run, which may be another one than the container's. */
  readonly isNode: boolean;
  readonly pod: Pod;
  readonly podIP: string;
  readonly runDir: string;
}

const WAIT_MS = 5000;
const POLL_MS = 20;

/** For a program that is run in a container: exec, probes, lifecycle handlers. */
export function programEnvironment(inputs: ProxyEnvironmentInputs): Readonly<Record<string, string>> {
  return wantsProxy(inputs) ? withProxy(inputs, readHttpProxyAddress(inputs.runDir)) : inputs.plan.env;
}

/** The same for a container, whose environment lasts: waits until kube-proxy has chosen its port, as a node waits for its pod network. */
export async function containerEnvironment(
  inputs: ProxyEnvironmentInputs,
  clock: Clock,
): Promise<Readonly<Record<string, string>>> {
  if (!wantsProxy(inputs)) return inputs.plan.env;
  const until = clock.monotonic() + WAIT_MS;
  for (;;) {
    const address = readHttpProxyAddress(inputs.runDir);
    if (address !== undefined) return withProxy(inputs, address);
    if (clock.monotonic() >= until) {
      throw new MeshError("network is not ready: kube-proxy has not published its forward proxy", {
        code: "kubelet.network-not-ready",
        retryable: true,
      });
    }
    await sleep(clock, POLL_MS);
  }
}

function wantsProxy({ isNode, pod }: ProxyEnvironmentInputs): boolean {
  return !isNode && pod.spec.hostNetwork !== true;
}

function withProxy({ plan, podIP }: ProxyEnvironmentInputs, address: HttpProxyAddress | undefined) {
  return address === undefined ? plan.env : { ...httpProxyEnvironment(address, podIP), ...plan.env };
}
