/**
 * Who owns what: by ownerReference, never by selector alone. Two Deployments whose selectors overlap keep their own pods; a selector
 * only decides which orphans may be adopted and which owned objects have left.
 * Source: Kubernetes, "Owners and Dependents"; API reference, OwnerReference.
 */
import { isConflict, isNotFound, type KubeClient } from "@argyle/kube-client";
import {
  apiVersionOf,
  type KubeObject,
  type LabelSelector,
  matchesLabelSelector,
  type OwnerReference,
  type Resource,
} from "@argyle/kube-types";

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The index under which the objects of a controller are found. */
export function controllerUidOf(object: KubeObject): readonly string[] {
  const uid = controllerOf(object)?.uid;
  return uid === undefined ? [] : [uid];
}

export function controllerReference(resource: Resource, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claim<T> {
  /** Owned and matching: what the controller works with. */
  readonly owned: readonly T[];
  /** Matching, without any controller: to be adopted. */
  readonly adopt: readonly T[];
  /** Owned, no longer matching: to be released. */
  readonly release: readonly T[];
}

/** Pure: sorts candidates by what they are to an owner. An owner that is being deleted adopts nothing. */
export function claim<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelSelector,
  candidates: readonly T[],
): Claim<T> {
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    const matches = matchesLabelSelector(selector, candidate.metadata.labels);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches || owner.metadata.deletionTimestamp !== undefined) owned.push(candidate);
      else release.push(candidate);
    } else if (
      matches &&
      owner.metadata.deletionTimestamp === undefined &&
      candidate.metadata.deletionTimestamp === undefined
    )
      adopt.push(candidate);
  }
  return { owned, adopt, release };
}

/** Writes adoptions and releases. Returns true when something was written: the watch will bring the result. */
export async function settleClaim<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  owner: OwnerReference,
  found: Claim<T>,
): Promise<boolean> {
  for (const object of found.adopt)
    await patchOwners(client, resource, object, [...(object.metadata.ownerReferences ?? []), owner]);
  for (const object of found.release) {
    const others = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.uid);
    await patchOwners(client, resource, object, others);
  }
  return found.adopt.length + found.release.length > 0;
}

/** Against the version that was read: another controller may have been faster, then this one looks again. */
export async function patchOwners(
  client: KubeClient,
  resource: Resource,
  object: KubeObject,
  ownerReferences: readonly OwnerReference[],
): Promise<void> {
  const { namespace, name, resourceVersion } = object.metadata;
  try {
    await client.patch(resource, { name, ...(namespace === undefined ? {} : { namespace }) }, "merge", {
      metadata: { resourceVersion, ownerReferences: ownerReferences.length === 0 ? null : ownerReferences },
    });
  } catch (thrown) {
    if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown;
  }
}

export function refOf(object: KubeObject): { readonly namespace?: string; readonly name: string } {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}
