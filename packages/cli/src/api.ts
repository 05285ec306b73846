/** The CLI as an ordinary Kubernetes client of its instance: the admin's kubeconfig, nothing private. */
import { existsSync, readFileSync } from "node:fs";
import { describeError, formatProblems, MeshError, sleep, systemClock } from "@argyle/core";
import { createKubeClient, isUnreachable, type KubeClient, loadKubeconfig } from "@argyle/kube-client";
import { type Instance, requireKubeconfig } from "./instance.ts";

export function connectApi(instance: Instance): KubeClient {
  requireKubeconfig(instance);
  const connection = loadKubeconfig(readFileSync(instance.kubeconfig, "utf8"));
  if (!connection.ok)
    throw new MeshError(`${instance.kubeconfig}: ${formatProblems(connection.error)}`, { code: "instance.kubeconfig" });
  return createKubeClient({ ...connection.value, userAgent: "argyle" });
}

/** Tries until the API server says that it is ready; throws with the last failure after the deadline. */
export async function waitForApi(instance: Instance, signal: AbortSignal, deadlineMs = 20_000): Promise<KubeClient> {
  const end = systemClock.monotonic() + deadlineMs;
  let last: unknown;
  while (systemClock.monotonic() < end) {
    signal.throwIfAborted();
    if (existsSync(instance.kubeconfig)) {
      const client = connectApi(instance);
      try {
        await client.raw("GET", "/readyz");
        return client;
      } catch (error) {
        client.close();
        last = error;
        if (!isUnreachable(error)) throw error;
      }
    }
    await sleep(systemClock, 20, signal);
  }
  throw new MeshError(
    `the API server did not become ready within ${deadlineMs / 1000} s: ${describeError(last ?? "no kubeconfig was written")}`,
    {
      code: "instance.api-not-ready",
      advice: `look at ${instance.stateDir}/logs/cluster.log`,
    },
  );
}
