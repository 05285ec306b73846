/** The CLI as an ordinary Kubernetes client of its instance: the admin's kubeconfig, nothing private. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describeError, formatProblems, MeshError, sleep, systemClock } from "@argyle/core";
import { createKubeClient, isUnreachable, type KubeClient, loadKubeconfig } from "@argyle/kube-client";
import type { ProcessEntry, SupervisorClient } from "@argyle/supervisor";
import { type Instance, requireKubeconfig } from "./instance.ts";

export function connectApi(instance: Instance): KubeClient {
  requireKubeconfig(instance);
  const connection = loadKubeconfig(readFileSync(instance.kubeconfig, "utf8"));
  if (!connection.ok)
    throw new MeshError(`${instance.kubeconfig}: ${formatProblems(connection.error)}`, { code: "instance.kubeconfig" });
  return createKubeClient({ ...connection.value, userAgent: "argyle" });
}

const DEADLINE_MS = 20_000;
/** A cluster process that died this often during its start will not come up by trying again. */
const HOPELESS_RESTARTS = 2;

/** Tries until the API server says that it is ready; throws when its process keeps ending, or with the last failure after the deadline. */
export async function waitForApi(
  instance: Instance,
  supervisor: SupervisorClient,
  signal: AbortSignal,
): Promise<KubeClient> {
  const logPath = join(instance.stateDir, "logs/cluster.log");
  const end = systemClock.monotonic() + DEADLINE_MS;
  const before = (await clusterEntry(supervisor))?.restarts ?? 0;
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
    const restarts = (await clusterEntry(supervisor))?.restarts ?? 0;
    if (restarts - before >= HOPELESS_RESTARTS) {
      throw new MeshError(`the API server does not start:\n  ${lastComplaint(readFileSync(logPath, "utf8"))}`, {
        code: "instance.api-failed",
        advice: `its log is ${logPath}`,
      });
    }
    await sleep(systemClock, 20, signal);
  }
  throw new MeshError(
    `the API server did not become ready within ${DEADLINE_MS / 1000} s: ${describeError(last ?? "no kubeconfig was written")}`,
    {
      code: "instance.api-not-ready",
      advice: `look at ${logPath}`,
    },
  );
}

/** What the cluster process last said before it ended (`cluster: …` and the lines that belong to it), or the last line of its log. */
export function lastComplaint(log: string): string {
  const lines = log.trimEnd().split("\n");
  const at = lines.findLastIndex((line) => line.startsWith("cluster: "));
  return lines.slice(at).join("\n");
}

async function clusterEntry(supervisor: SupervisorClient): Promise<ProcessEntry | undefined> {
  return (await supervisor.list()).find((entry) => entry.name === "cluster");
}
