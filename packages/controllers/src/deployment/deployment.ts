/**
 * Deployment controller: carries out plan.ts and writes the status. All decisions are there; this file reads informers and writes.
 * Source: Kubernetes, "Deployments".
 */
import { createReconciler, isAlreadyExists, isNotFound, namespaceOf, objectKey } from "@argyle/kube-client";
import {
  type Deployment,
  matchesLabelSelector,
  type OwnerReference,
  POD_TEMPLATE_HASH_LABEL,
  type Pod,
  REVISION_ANNOTATION,
  type ReplicaSet,
} from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "../controller.ts";
import { covers } from "../covers.ts";
import { claim, controllerOf, controllerReference, controllerUidOf, refOf, settleClaim } from "../ownership.ts";
import { isFinished } from "../pod-state.ts";
import { type DeploymentPlan, inheritedAnnotations, planDeployment, sizeAnnotations } from "./plan.ts";
import { buildDeploymentStatus } from "./status.ts";
import { isSameTemplate } from "./template-hash.ts";

export const deploymentController: Controller = {
  name: "deployment-controller",
  needs: [KINDS.deployment, KINDS.replicaSet, KINDS.pod],
  start,
};

function start(context: ControllerContext) {
  const { client, clock, events } = context;
  const deployments = context.informer<Deployment>(KINDS.deployment);
  const replicaSets = context.informer<ReplicaSet>(KINDS.replicaSet);
  const pods = context.informer<Pod>(KINDS.pod);
  const deploymentsByNamespace = deployments.index(namespaceOf);
  const replicaSetsByController = replicaSets.index(controllerUidOf);
  const orphans = replicaSets.index((object) => (controllerOf(object) === undefined ? namespaceOf(object) : []));
  const podsByController = pods.index(controllerUidOf);

  const reconcile = async (key: string) => {
    const deployment = deployments.get(key);
    if (deployment === undefined) return undefined;
    const candidates = [
      ...replicaSetsByController.lookup(deployment.metadata.uid ?? ""),
      ...orphans.lookup(deployment.metadata.namespace ?? ""),
    ];
    const claimed = claim(deployment, deployment.spec.selector, candidates);
    const owner = controllerReference(KINDS.deployment, deployment);
    if (await settleClaim(client, KINDS.replicaSet, owner, claimed)) return undefined;
    const all = claimed.owned;
    if (deployment.metadata.deletionTimestamp !== undefined) return writeStatus(deployment, undefined, all, undefined);
    const current = all.find((replicaSet) => isSameTemplate(replicaSet.spec.template, deployment.spec.template));
    const plan = planDeployment(deployment, all, hasRunningPods(all.filter((replicaSet) => replicaSet !== current)));
    return execute(deployment, all, plan, owner);
  };

  const hasRunningPods = (old: readonly ReplicaSet[]) =>
    old.some((replicaSet) => podsByController.lookup(replicaSet.metadata.uid ?? "").some((pod) => !isFinished(pod)));

  const execute = async (
    deployment: Deployment,
    all: readonly ReplicaSet[],
    plan: DeploymentPlan,
    owner: OwnerReference,
  ) => {
    let created: ReplicaSet | undefined;
    if (plan.create !== undefined) {
      created = await createReplicaSet(deployment, plan, owner);
      if (created === undefined) return { requeueAfterMs: 50 };
    }
    for (const replicaSet of all) await patchReplicaSet(deployment, replicaSet, plan);
    for (const replicaSet of plan.remove) await removeReplicaSet(replicaSet);
    const revision = deployment.metadata.annotations?.[REVISION_ANNOTATION];
    const hasCurrent = plan.newReplicaSet !== undefined || created !== undefined;
    if (hasCurrent && plan.revision !== undefined && plan.revision !== revision) {
      const metadata = { annotations: { [REVISION_ANNOTATION]: plan.revision } };
      await client.patch(KINDS.deployment, refOf(deployment), "merge", { metadata });
    }
    const found = plan.newReplicaSet;
    const hasProgress = deployment.status?.conditions?.some((condition) => condition.type === "Progressing") === true;
    const progress =
      created !== undefined
        ? { reason: "NewReplicaSetCreated", message: `Created new replica set "${created.metadata.name}"` }
        : found !== undefined && (!hasProgress || isRollback(plan))
          ? { reason: "FoundNewReplicaSet", message: `Found new replica set "${found.metadata.name}"` }
          : undefined;
    return writeStatus(deployment, found ?? created, created === undefined ? all : [...all, created], progress);
  };

  /** Undefined after a hash collision: the next try takes another hash. */
  const createReplicaSet = async (deployment: Deployment, plan: DeploymentPlan, owner: OwnerReference) => {
    const { hash, replicas } = plan.create ?? { hash: "", replicas: 0 };
    const { spec } = deployment;
    const { name, namespace } = deployment.metadata;
    const hashLabel = { [POD_TEMPLATE_HASH_LABEL]: hash };
    const labels = { ...spec.template.metadata?.labels, ...hashLabel };
    const annotations = {
      ...inheritedAnnotations(deployment),
      ...sizeAnnotations(deployment),
      [REVISION_ANNOTATION]: plan.revision ?? "1",
    };
    const replicaSet: ReplicaSet = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${name}-${hash}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations,
        ownerReferences: [owner],
      },
      spec: {
        replicas,
        ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
        selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, ...hashLabel } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
    try {
      const made = await client.create<ReplicaSet>(KINDS.replicaSet, replicaSet);
      if (replicas > 0) saidScaling(deployment, made.metadata.name, 0, replicas);
      return made;
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
      const there = await client.find<ReplicaSet>(KINDS.replicaSet, refOf(replicaSet));
      const isOurs = there !== undefined && controllerOf(there)?.uid === owner.uid;
      // Ours: the watch was late. Somebody else's, or another template: a collision.
      if (!isOurs || !isSameTemplate(there.spec.template, spec.template)) {
        const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
        await client.patch(
          KINDS.deployment,
          refOf(deployment),
          "merge",
          { status: { collisionCount } },
          { subresource: "status" },
        );
      }
      return undefined;
    }
  };

  const patchReplicaSet = async (deployment: Deployment, replicaSet: ReplicaSet, plan: DeploymentPlan) => {
    const { name } = replicaSet.metadata;
    const size = plan.sizes.get(name);
    const annotations = plan.annotations.get(name);
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    const isMinReadyStale =
      replicaSet === plan.newReplicaSet && (replicaSet.spec.minReadySeconds ?? 0) !== minReadySeconds;
    if (size === undefined && annotations === undefined && !isMinReadyStale) return;
    const spec = { ...(size === undefined ? {} : { replicas: size }), ...(isMinReadyStale ? { minReadySeconds } : {}) };
    await client.patch(KINDS.replicaSet, refOf(replicaSet), "merge", {
      metadata: {
        resourceVersion: replicaSet.metadata.resourceVersion,
        ...(annotations === undefined ? {} : { annotations }),
      },
      ...(Object.keys(spec).length === 0 ? {} : { spec }),
    });
    if (size !== undefined) saidScaling(deployment, name, replicaSet.spec.replicas ?? 1, size);
  };

  const saidScaling = (deployment: Deployment, name: string, from: number, to: number) => {
    const direction = to > from ? "up" : "down";
    events.event(
      deployment,
      "Normal",
      "ScalingReplicaSet",
      `Scaled ${direction} replica set ${name} from ${from} to ${to}`,
    );
  };

  const removeReplicaSet = async (replicaSet: ReplicaSet) => {
    try {
      await client.delete(KINDS.replicaSet, refOf(replicaSet), { propagationPolicy: "Background" });
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  };

  const writeStatus = async (
    deployment: Deployment,
    newReplicaSet: ReplicaSet | undefined,
    all: readonly ReplicaSet[],
    progress: { readonly reason: string; readonly message: string } | undefined,
  ) => {
    const { status, deadlineInMs } = buildDeploymentStatus({
      deployment,
      newReplicaSet,
      all,
      progress,
      nowMs: clock.now(),
    });
    if (!covers(deployment.status, status))
      await client.patch(KINDS.deployment, refOf(deployment), "merge", { status }, { subresource: "status" });
    return deadlineInMs === undefined ? undefined : { requeueAfterMs: deadlineInMs + 1000 };
  };

  const reconciler = createReconciler({
    name: deploymentController.name,
    clock,
    log: context.log,
    random: context.random,
    reconcile,
    concurrency: 4,
    restMs: 50,
  });
  reconciler.watch(deployments, (deployment) => [objectKey(deployment)]);
  reconciler.watch(replicaSets, (replicaSet) => {
    const controller = controllerOf(replicaSet);
    if (controller !== undefined)
      return controller.kind === "Deployment"
        ? [objectKey({ metadata: { ...replicaSet.metadata, name: controller.name } })]
        : [];
    return deploymentsByNamespace
      .lookup(replicaSet.metadata.namespace ?? "")
      .filter((deployment) => matchesLabelSelector(deployment.spec.selector, replicaSet.metadata.labels))
      .map(objectKey);
  });
  // Recreate waits for the last old pod to go.
  reconciler.watch(pods, (pod) => {
    const replicaSetName = controllerOf(pod)?.name ?? "";
    const replicaSet = replicaSets.get(objectKey({ metadata: { ...pod.metadata, name: replicaSetName } }));
    const deployment = replicaSet === undefined ? undefined : controllerOf(replicaSet);
    const key = deployment === undefined ? "" : objectKey({ metadata: { ...pod.metadata, name: deployment.name } });
    return deployments.get(key)?.spec.strategy?.type === "Recreate" ? [key] : [];
  });
  return { close: reconciler.close };
}

/** An old template became the current one again: its ReplicaSet is about to get a new revision. */
function isRollback(plan: DeploymentPlan): boolean {
  const held = plan.newReplicaSet?.metadata.annotations?.[REVISION_ANNOTATION];
  return held !== undefined && held !== plan.revision;
}
