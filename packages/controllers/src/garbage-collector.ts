/**
 * Garbage collection by ownerReferences: background (owners gone: delete), foreground (an owner waits for its dependents), orphan (an owner
 * leaves, its dependents stay). The graph is read from informers of every kind; before anything is deleted, the absence of its owners
 * is confirmed by the API server, because an informer may be behind.
 * Source: Kubernetes, "Garbage Collection", "Owners and Dependents", "Use Cascading Deletion".
 */
import { createReconciler, isConflict, isNotFound, keyOf, objectKey } from "@argyle/kube-client";
import { findResource, type KubeObject, type OwnerReference, RESOURCES, type Resource } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { patchOwners, refOf } from "./ownership.ts";

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";
const FOLLOWED = RESOURCES.filter((resource) => resource !== KINDS.event);

export const garbageCollector: Controller = { name: "garbage-collector", needs: FOLLOWED, start };

interface Located {
  readonly resource: Resource;
  readonly object: KubeObject;
}

function start(context: ControllerContext) {
  const { client } = context;
  const followed = FOLLOWED.map((resource) => {
    const informer = context.informer<KubeObject>(resource);
    return { resource, informer, byOwner: informer.index(ownerUidsOf) };
  });
  const informers = new Map(followed.map(({ resource, informer }) => [resource, informer]));

  const dependentsOf = (uid: string): readonly Located[] =>
    followed.flatMap(({ resource, byOwner }) => byOwner.lookup(uid).map((object) => ({ resource, object })));

  const reconcile = async (workKey: string) => {
    const { resource, key } = decodeKey(workKey);
    const object = informers.get(resource)?.get(key);
    if (object === undefined) return undefined;
    const finalizers = object.metadata.finalizers ?? [];
    if (object.metadata.deletionTimestamp !== undefined) {
      if (finalizers.includes(ORPHAN)) await orphanDependents({ resource, object });
      else if (finalizers.includes(FOREGROUND)) await deleteDependents({ resource, object });
      return undefined;
    }
    await judge({ resource, object });
    return undefined;
  };

  const orphanDependents = async ({ resource, object }: Located) => {
    const uid = object.metadata.uid ?? "";
    for (const dependent of dependentsOf(uid)) await dropOwners(dependent, new Set([uid]));
    await removeFinalizer({ resource, object }, ORPHAN);
  };

  const deleteDependents = async (owner: Located) => {
    const uid = owner.object.metadata.uid ?? "";
    const blocking = dependentsOf(uid).filter(({ object }) =>
      object.metadata.ownerReferences?.some(
        (reference) => reference.uid === uid && reference.blockOwnerDeletion === true,
      ),
    );
    if (blocking.length === 0) await removeFinalizer(owner, FOREGROUND);
    for (const dependent of blocking)
      if (dependent.object.metadata.deletionTimestamp === undefined) await judge(dependent);
  };

  /** Deletes an object none of whose owners is left, or drops the references to those that are gone. */
  const judge = async (located: Located) => {
    const references = located.object.metadata.ownerReferences ?? [];
    if (references.length === 0) return;
    const gone = new Set<string>();
    const waiting = new Set<string>();
    for (const reference of references) {
      const state = await stateOf(reference, located);
      if (state === "gone") gone.add(reference.uid);
      if (state === "waiting") waiting.add(reference.uid);
    }
    if (gone.size + waiting.size === 0) return;
    if (gone.size + waiting.size < references.length) {
      await dropOwners(located, new Set([...gone, ...waiting]));
      return;
    }
    const hasDependents = dependentsOf(located.object.metadata.uid ?? "").length > 0;
    await deleteObject(located, waiting.size > 0 && hasDependents ? "Foreground" : "Background");
  };

  /** Unknown kinds are taken for present: what cannot be looked up must not lead to a deletion. */
  const stateOf = async (reference: OwnerReference, dependent: Located): Promise<"present" | "waiting" | "gone"> => {
    const resource = findResource(reference.apiVersion, reference.kind);
    if (resource === undefined) return "present";
    const namespace = resource.namespaced ? dependent.object.metadata.namespace : undefined;
    const held = informers.get(resource)?.get(keyOf(namespace, reference.name));
    if (held?.metadata.uid === reference.uid) return isWaiting(held) ? "waiting" : "present";
    const ref = namespace === undefined ? { name: reference.name } : { namespace, name: reference.name };
    const live = await client.find<KubeObject>(resource, ref);
    if (live?.metadata.uid !== reference.uid) return "gone";
    return isWaiting(live) ? "waiting" : "present";
  };

  const deleteObject = async ({ resource, object }: Located, propagationPolicy: string) => {
    const uid = object.metadata.uid === undefined ? {} : { uid: object.metadata.uid };
    try {
      await client.delete(resource, refOf(object), { ...uid, propagationPolicy });
    } catch (thrown) {
      if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown;
    }
  };

  const dropOwners = ({ resource, object }: Located, uids: ReadonlySet<string>) => {
    const kept = (object.metadata.ownerReferences ?? []).filter((reference) => !uids.has(reference.uid));
    return patchOwners(client, resource, object, kept);
  };

  const removeFinalizer = async ({ resource, object }: Located, name: string) => {
    const finalizers = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== name);
    const metadata = { resourceVersion: object.metadata.resourceVersion, finalizers };
    try {
      await client.patch(resource, refOf(object), "merge", { metadata });
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  };

  const reconciler = createReconciler({
    name: garbageCollector.name,
    clock: context.clock,
    log: context.log,
    random: context.random,
    reconcile,
    concurrency: 4,
  });
  const unsubscribes = followed.map(({ resource, informer }) =>
    informer.onChange((change) => {
      const { object } = change;
      if (change.type === "DELETED") {
        for (const dependent of dependentsOf(object.metadata.uid ?? "")) reconciler.enqueue(encodeKey(dependent));
        for (const reference of object.metadata.ownerReferences ?? []) enqueueOwner(reference, object);
      } else if (isInteresting(object, informers)) reconciler.enqueue(encodeKey({ resource, object }));
    }),
  );

  /** An owner that waits for its dependents is looked at when one of them has gone. */
  const enqueueOwner = (reference: OwnerReference, dependent: KubeObject) => {
    const resource = findResource(reference.apiVersion, reference.kind);
    if (resource === undefined) return;
    const namespace = resource.namespaced ? dependent.metadata.namespace : undefined;
    const owner = informers.get(resource)?.get(keyOf(namespace, reference.name));
    if (owner !== undefined && isWaiting(owner)) reconciler.enqueue(encodeKey({ resource, object: owner }));
  };

  return {
    close() {
      for (const unsubscribe of unsubscribes) unsubscribe();
      return reconciler.close();
    },
  };
}

function isWaiting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(FOREGROUND) === true;
}

/** Deleting with a finalizer of ours, or with an owner that the informers do not show. */
function isInteresting(
  object: KubeObject,
  informers: ReadonlyMap<Resource, { get(key: string): KubeObject | undefined }>,
): boolean {
  if (object.metadata.deletionTimestamp !== undefined)
    return object.metadata.finalizers?.some((finalizer) => finalizer === FOREGROUND || finalizer === ORPHAN) === true;
  return (object.metadata.ownerReferences ?? []).some((reference) => {
    const resource = findResource(reference.apiVersion, reference.kind);
    if (resource === undefined) return false;
    const namespace = resource.namespaced ? object.metadata.namespace : undefined;
    const owner = informers.get(resource)?.get(keyOf(namespace, reference.name));
    return owner?.metadata.uid !== reference.uid || isWaiting(owner);
  });
}

function ownerUidsOf(object: KubeObject): readonly string[] {
  return (object.metadata.ownerReferences ?? []).map((reference) => reference.uid);
}

function encodeKey({ resource, object }: Located): string {
  return `${RESOURCES.indexOf(resource)} ${objectKey(object)}`;
}

function decodeKey(workKey: string): { readonly resource: Resource; readonly key: string } {
  const space = workKey.indexOf(" ");
  const resource = RESOURCES[Number(workKey.slice(0, space))];
  if (resource === undefined) throw new Error(`not a work key: ${workKey}`);
  return { resource, key: workKey.slice(space + 1) };
}
