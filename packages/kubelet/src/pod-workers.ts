/**
 * All pods of this node: one worker per uid, driven by the pod informer, process exits, proxy states and ConfigMap changes. One queue keyed by uid,
 * so no pod is ever worked on twice at a time and a slow one does not hold the others.
 */
import { createWorkQueue, describeError } from "@argyle/core";
import type { Collection } from "@argyle/kube-client";
import type { Pod } from "@argyle/kube-types";
import type { KubeletContext } from "./context.ts";
import type { PodState } from "./pod-state-file.ts";
import { createPodWorker, type PodWorker } from "./pod-worker.ts";
import { parseProcessName, processName } from "./process-runner.ts";
import type { ProxyState } from "./proxy-runner.ts";

export interface PodWorkers {
  /** Adopts what runs, ends what no pod wants, then follows the informer. Call when the informers have synced. */
  start(pods: Collection<Pod>): Promise<void>;
  find(namespace: string, name: string): PodWorker | undefined;
  byUid(uid: string): PodWorker | undefined;
  list(): readonly PodWorker[];
  onProxyState(podIP: string, state: ProxyState | undefined): void;
  onConfigChanged(kind: "ConfigMap" | "Secret", namespace: string, name: string): void;
  close(): Promise<void>;
}

export function createPodWorkers(context: KubeletContext): PodWorkers {
  const { log } = context;
  const { clock } = context.options;
  const workers = new Map<string, PodWorker>();
  const unsubscribe: (() => void)[] = [];
  const queue = createWorkQueue({
    clock,
    concurrency: 8,
    backoff: { baseMs: 50, maxMs: 5000 },
    work: async (uid) => workers.get(uid)?.sync(),
    onError: (uid, error, retryInMs) =>
      log.warn("cannot sync pod", { uid, error: describeError(error), retryInMs: Math.round(retryInMs) }),
  });

  const add = (pod: Pod, previous: PodState | undefined): PodWorker => {
    const worker = createPodWorker(pod, previous, context, (uid) => queue.add(uid));
    workers.set(worker.uid, worker);
    return worker;
  };

  const drop = (uid: string) => {
    const worker = workers.get(uid);
    workers.delete(uid);
    worker
      ?.vanish()
      .catch((error: unknown) => log.warn("cannot clean up after pod", { uid, error: describeError(error) }));
  };

  const byIP = (podIP: string) => [...workers.values()].find((worker) => worker.podIP === podIP);

  return {
    async start(pods) {
      const found = await context.processes.list();
      unsubscribe.push(
        context.processes.onExited((ref, _pid, exit) =>
          workers.get(ref.uid)?.onProcessExited(ref.container, ref.restart, exit),
        ),
      );
      const live = new Map(pods.list().map((pod) => [pod.metadata.uid ?? "", pod]));
      const states = context.states.load();
      for (const state of states) context.ips.reserve(state.podIP);
      // In the order in which they were made, as the kubelet: what was there first is what later ones need, istiod before its proxies.
      const createdAt = ({ uid }: PodState) => live.get(uid)?.metadata.creationTimestamp ?? "";
      for (const state of states.toSorted((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1))) {
        const pod = live.get(state.uid);
        if (pod !== undefined) add(pod, state).adopt(found);
        else {
          context.proxies.stop(state.podIP);
          context.states.remove(state.uid);
          context.ips.release(state.podIP);
        }
      }
      for (const [name, process] of found) {
        const ref = parseProcessName(name);
        if (ref === undefined) continue;
        const isWanted = workers.get(ref.uid)?.record(ref.container)?.restartCount === ref.restart;
        if (isWanted && process.kind === "running") continue;
        if (process.kind === "running") {
          log.info("ending a process that no pod wants", { name: processName(ref) });
          await context.processes.signal(ref, "SIGKILL");
        } else await context.processes.forget(ref);
      }
      unsubscribe.push(
        pods.onChange((change) => {
          const uid = change.object.metadata.uid ?? "";
          if (change.type === "DELETED") {
            drop(uid);
            return;
          }
          const worker = workers.get(uid);
          if (worker !== undefined) worker.update(change.object);
          else if (!isFinal(change.object)) add(change.object, undefined);
          queue.add(uid);
        }),
      );
    },
    find: (namespace, name) =>
      [...workers.values()].find((worker) => {
        const { metadata } = worker.pod();
        return metadata.name === name && metadata.namespace === namespace;
      }),
    byUid: (uid) => workers.get(uid),
    list: () => [...workers.values()],
    onProxyState: (podIP, state) => byIP(podIP)?.onProxyState(state),
    onConfigChanged(kind, namespace, name) {
      for (const worker of workers.values()) {
        if (worker.pod().metadata.namespace === namespace) worker.onConfigChanged(kind, name);
      }
    },
    async close() {
      for (const end of unsubscribe) end();
      await queue.close();
      for (const worker of workers.values()) worker.stop();
    },
  };
}

/** Its containers have ended for good, under a kubelet that has forgotten it; only its deletion is left to do. */
function isFinal(pod: Pod): boolean {
  const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  return isOver && pod.metadata.deletionTimestamp === undefined;
}
