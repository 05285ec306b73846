/**
 * Writes pod status to the API server: one write at a time per pod, the latest wins, equal ones are not sent, failures are tried again with back-off.
 * What others act upon (phase, addresses, conditions, why a container waits or ended) is written at once; that a container runs or is ready, while the
 * pod is not, waits a moment for more: each write costs the API server and everybody who watches pods.
 */
import { type Clock, createWorkQueue, describeError, type Logger } from "@argyle/core";
import { isNotFound, type KubeClient } from "@argyle/kube-client";
import { type PodStatus, resourceOf } from "@argyle/kube-types";

export interface StatusWriter {
  publish(uid: string, at: { readonly namespace: string; readonly name: string }, status: PodStatus): void;
  forget(uid: string): void;
  close(): Promise<void>;
}

interface Wanted {
  readonly namespace: string;
  readonly name: string;
  readonly status: PodStatus;
  readonly text: string;
  /** Monotonic: not before this. */
  readonly dueMs: number;
}

const MOMENT_MS = 200;

export function createStatusWriter(client: KubeClient, clock: Clock, log: Logger): StatusWriter {
  const pods = resourceOf("Pod", "");
  const wanted = new Map<string, Wanted>();
  const written = new Map<string, string>();
  const queue = createWorkQueue({
    clock,
    concurrency: 4,
    backoff: { baseMs: 50, maxMs: 5000 },
    async work(uid) {
      const next = wanted.get(uid);
      if (next === undefined || written.get(uid) === next.text) return undefined;
      const { namespace, name, status, text, dueMs } = next;
      const waitMs = dueMs - clock.monotonic();
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      try {
        // The uid makes it a conflict when the name belongs to another pod by now.
        await client.patch(
          pods,
          { namespace, name },
          "merge",
          { metadata: { uid }, status },
          { subresource: "status" },
        );
        written.set(uid, text);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      return undefined;
    },
    onError: (uid, error, retryInMs) =>
      log.debug("cannot write status", { uid, error: describeError(error), retryInMs: Math.round(retryInMs) }),
  });
  return {
    publish(uid, { namespace, name }, status) {
      const text = JSON.stringify(status);
      const before = wanted.get(uid);
      if (before?.text === text) return;
      const now = clock.monotonic();
      const isUrgent = before === undefined || urgentText(before.status) !== urgentText(status);
      const isWritten = before === undefined || written.get(uid) === before.text;
      wanted.set(uid, {
        namespace,
        name,
        status,
        text,
        dueMs: isUrgent ? now : isWritten ? now + MOMENT_MS : before.dueMs,
      });
      queue.add(uid);
    },
    forget(uid) {
      wanted.delete(uid);
      written.delete(uid);
    },
    close: () => queue.close(),
  };
}

/** What must not wait, as a text. */
function urgentText(status: PodStatus): string {
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return JSON.stringify([
    status.phase,
    status.podIP,
    (status.conditions ?? []).map(({ type, status: value }) => [type, value]),
    containers.map(({ restartCount, state }) => [
      restartCount,
      state?.terminated !== undefined,
      STARTS.has(state?.waiting?.reason ?? "") ? undefined : state?.waiting?.reason,
    ]),
  ]);
}

/** Waiting for these means that all is well. */
const STARTS = new Set(["ContainerCreating", "PodInitializing"]);
