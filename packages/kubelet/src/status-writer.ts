/** Writes pod status to the API server: one write at a time per pod, the latest wins, equal ones are not sent, failures are tried again with back-off. */
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
}

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
      const { namespace, name, status, text } = next;
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
      if (wanted.get(uid)?.text === text) return;
      wanted.set(uid, { namespace, name, status, text });
      queue.add(uid);
    },
    forget(uid) {
      wanted.delete(uid);
      written.delete(uid);
    },
    close: () => queue.close(),
  };
}
