/**
 * ReplicaSet controller: keeps as many pods as spec.replicas, by ownerReference.
 * Invariant: a pod that was created but has not come back through the watch is counted as there (expectations by name), so a slow
 * watch never leads to too many pods. A refused creation (a webhook that is not ready) is an Event and is tried again after 50 ms to 2 s.
 * Source: Kubernetes, "ReplicaSet".
 */
import { describeError, MeshError } from "@argyle/core";
import { type Change, createReconciler, isNotFound, namespaceOf, objectKey } from "@argyle/kube-client";
import { type KubeObject, matchesLabelSelector, type Pod, type ReplicaSet } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { covers } from "./covers.ts";
import { createExpectations, EXPECTATION_MS } from "./expectations.ts";
import { randomSuffix } from "./names.ts";
import { claim, controllerOf, controllerReference, controllerUidOf, refOf, settleClaim } from "./ownership.ts";
import { isActive } from "./pod-state.ts";
import { buildReplicaSetStatus, planReplicaSet } from "./replica-set-plan.ts";

export const replicaSetController: Controller = {
  name: "replicaset-controller",
  needs: [KINDS.replicaSet, KINDS.pod],
  start,
};

function start(context: ControllerContext) {
  const { client, clock, events } = context;
  const replicaSets = context.informer<ReplicaSet>(KINDS.replicaSet);
  const pods = context.informer<Pod>(KINDS.pod);
  const podsByController = pods.index(controllerUidOf);
  const orphans = pods.index((pod) => (controllerOf(pod) === undefined ? namespaceOf(pod) : []));
  const replicaSetsByNamespace = replicaSets.index(namespaceOf);
  const expectations = createExpectations(clock);
  const unsubscribes = [pods.onChange(expectations.observe)];

  const reconcile = async (key: string) => {
    const replicaSet = replicaSets.get(key);
    if (replicaSet === undefined) return undefined;
    const candidates = [
      ...podsByController.lookup(replicaSet.metadata.uid ?? ""),
      ...orphans.lookup(replicaSet.metadata.namespace ?? "").filter(isActive),
    ];
    const claimed = claim(replicaSet, replicaSet.spec.selector, candidates);
    const owner = controllerReference(KINDS.replicaSet, replicaSet);
    if (await settleClaim(client, KINDS.pod, owner, claimed)) return undefined;
    const expected = expectations.pending(key);
    const plan = planReplicaSet(replicaSet, claimed.owned, expected.created);
    let failure: unknown;
    if (replicaSet.metadata.deletionTimestamp === undefined) {
      failure = await createPods(key, replicaSet, plan.createCount);
      if (expected.deleted === 0) await deletePods(key, replicaSet, plan.remove);
    }
    const message = failure === undefined ? undefined : describeError(failure);
    const { status, nextChangeMs } = buildReplicaSetStatus(replicaSet, claimed.owned, message, clock.now());
    if (!covers(replicaSet.status, status))
      await client.patch(KINDS.replicaSet, refOf(replicaSet), "merge", { status }, { subresource: "status" });
    if (failure !== undefined)
      throw new MeshError(`cannot create a pod of ${key}`, { code: "controllers.pod-refused", cause: failure });
    const waits = [nextChangeMs ?? Infinity, expected.created + expected.deleted > 0 ? EXPECTATION_MS : Infinity];
    const requeueAfterMs = Math.min(...waits);
    return Number.isFinite(requeueAfterMs) ? { requeueAfterMs } : undefined;
  };

  /** In batches of 1, 2, 4 …: when the first is refused, the others are not tried. Returns the refusal. */
  const createPods = async (key: string, replicaSet: ReplicaSet, count: number): Promise<unknown> => {
    for (let done = 0, batch = 1; done < count; done += batch, batch *= 2) {
      const size = Math.min(batch, count - done);
      const results = await Promise.allSettled(Array.from({ length: size }, () => createPod(key, replicaSet)));
      const refused = results.find((result) => result.status === "rejected");
      if (refused !== undefined) return refused.reason;
    }
    return undefined;
  };

  const createPod = async (key: string, replicaSet: ReplicaSet) => {
    const pod = buildPod(replicaSet, randomSuffix(context.random));
    const podKey = objectKey(pod);
    expectations.expectCreated(key, podKey);
    try {
      await client.create(KINDS.pod, pod);
      events.event(replicaSet, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
    } catch (thrown) {
      expectations.cancel(podKey);
      events.event(replicaSet, "Warning", "FailedCreate", `Error creating: ${describeError(thrown)}`);
      throw thrown;
    }
  };

  const deletePods = async (key: string, replicaSet: ReplicaSet, remove: readonly Pod[]) => {
    for (const pod of remove) {
      expectations.expectDeleted(key, objectKey(pod));
      try {
        await client.delete(KINDS.pod, refOf(pod), pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid });
        events.event(replicaSet, "Normal", "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`);
      } catch (thrown) {
        expectations.cancel(objectKey(pod));
        if (!isNotFound(thrown)) throw thrown;
      }
    }
  };

  const reconciler = createReconciler({
    name: replicaSetController.name,
    clock,
    log: context.log,
    random: context.random,
    reconcile,
    concurrency: 4,
    restMs: 50,
    backoff: { baseMs: 50, maxMs: 2000 },
  });
  unsubscribes.push(
    replicaSets.onChange((change) => {
      // Its own status writes come back too; they must not cut a back-off short.
      if (!isStatusOnly(change)) reconciler.enqueue(change.key);
    }),
  );
  reconciler.watch(pods, (pod) => {
    const controller = controllerOf(pod);
    if (controller !== undefined)
      return controller.kind === "ReplicaSet"
        ? [objectKey({ metadata: { ...pod.metadata, name: controller.name } })]
        : [];
    return replicaSetsByNamespace
      .lookup(pod.metadata.namespace ?? "")
      .filter((replicaSet) => matchesLabelSelector(replicaSet.spec.selector, pod.metadata.labels))
      .map(objectKey);
  });
  return {
    close() {
      for (const unsubscribe of unsubscribes) unsubscribe();
      return reconciler.close();
    },
  };
}

function buildPod(replicaSet: ReplicaSet, suffix: string): KubeObject {
  const template = replicaSet.spec.template;
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  const { namespace, name } = replicaSet.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${name}-${suffix}`,
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(KINDS.replicaSet, replicaSet)],
    },
    spec: template?.spec ?? { containers: [] },
  };
}

function isStatusOnly({ type, object, old }: Change<ReplicaSet>): boolean {
  return (
    type === "MODIFIED" &&
    object.metadata.generation !== undefined &&
    object.metadata.generation === old.metadata.generation &&
    object.metadata.deletionTimestamp === old.metadata.deletionTimestamp
  );
}
