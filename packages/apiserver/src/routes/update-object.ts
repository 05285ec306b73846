/**
 * The heart of PUT and of every PATCH: read, change, admit, validate, commit if nobody was faster; else again with the newer object.
 * A body that names a resourceVersion is never tried twice: its 409 is the client's to handle.
 * Subresources change only their own part; the main resource keeps the stored status.
 */
import type { KubeObject, Resource } from "@argyle/kube-types";
import { validateCreate, validateUpdate } from "@argyle/kube-types";
import type { ResourceCall } from "../context.ts";
import { fitToSchema, requireKind } from "../incoming.ts";
import { at, cloneJson, ensureObject, equalJson, type JsonObject, listOf, objectOf, textAt } from "../json.ts";
import { recordManager } from "../managed-fields/record.ts";
import { inVersion } from "../representation.ts";
import { conflict, invalid, MODIFIED, notFound } from "../status.ts";
import { prepareKind } from "../strategy/kinds.ts";
import { nextGeneration, prepareMetadataForUpdate } from "../strategy/metadata.ts";
import type { WriteOptions } from "../write-options.ts";

export interface Change {
  /** A new object from the stored one (under the version of the URL); may throw. Never changes what it is given. */
  readonly compute: (current: KubeObject) => JsonObject;
  /** The ownership that server-side apply has worked out, after `compute`. */
  readonly managedFields?: () => readonly unknown[];
}

const MAX_ATTEMPTS = 8;

export async function updateObject(call: ResourceCall, change: Change, options: WriteOptions): Promise<KubeObject> {
  const { store } = call.context;
  const { resource, namespace, name = "" } = call.target;
  for (let attempt = 0; ; attempt++) {
    const current = store.get(resource, namespace, name);
    if (current === undefined) throw notFound(resource, name);
    const { object, namedVersion } = await prepare(call, current, change, options);
    if (options.isDryRun) return object;
    const stored = commit(call, object, current);
    if (stored !== undefined) return stored;
    if (namedVersion || attempt >= MAX_ATTEMPTS) throw conflict(resource, name, MODIFIED);
  }
}

async function prepare(call: ResourceCall, current: KubeObject, change: Change, options: WriteOptions) {
  const { context, target, warnings } = call;
  const { resource, version, subresource, namespace, name = "" } = target;
  const { schemas } = context;
  // A retry must not repeat the warnings of the attempt before.
  warnings.length = 0;
  const incoming = change.compute(inVersion(current, resource, version));
  requireKind(incoming, resource, version);
  const wanted = textAt(incoming, "metadata", "resourceVersion") ?? "";
  if (wanted !== "" && wanted !== current.metadata.resourceVersion) throw conflict(resource, name, MODIFIED);

  // The rest of a built-in object is none of a status' business: it stays the stored one's.
  const stored = subresource === "status" && resource.custom !== true ? objectOf(current) : undefined;
  const fit = { schemas, resource, version, options, warnings, stored };
  let object = isolate(fitToSchema(incoming, fit), current, resource, subresource);
  prepareMetadataForUpdate(object, current, resource);
  // Before admission: what admission adds is nobody's.
  recordManager(object, current, {
    options,
    subresource,
    version,
    schemas,
    clock: context.clock,
    managedFields: change.managedFields?.(),
  });
  const admission = {
    operation: "UPDATE" as const,
    resource,
    version,
    subresource,
    namespace: resource.kind === "Namespace" ? name : namespace,
    name,
    oldObject: current,
    user: call.user,
    isDryRun: options.isDryRun,
    options: { kind: "UpdateOptions", apiVersion: "meta.k8s.io/v1", fieldManager: options.fieldManager },
  };
  const admitted = await context.admission.mutate({ ...admission, object }, warnings);
  if (!equalJson(admitted, object)) {
    const refit = { ...fit, version: resource.versions[0] ?? version, options: { fieldValidation: "Ignore" as const } };
    object = isolate(
      fitToSchema({ ...cloneJson(admitted), apiVersion: current.apiVersion }, refit),
      current,
      resource,
      subresource,
    );
    prepareMetadataForUpdate(object, current, resource);
  }
  const problems = subresource === undefined ? [...prepareKind(object, resource, current, context.allocator)] : [];
  const complete = object as unknown as KubeObject;
  // What an update of a pod may not change includes its containers: adding an ephemeral one has a path of its own.
  problems.push(
    ...(subresource === "ephemeralcontainers" ? validateCreate(complete) : validateUpdate(current, complete)),
  );
  if (problems.length > 0) throw invalid(resource.kind, resource.group, name, problems);
  nextGeneration(object, current);
  await context.admission.validate({ ...admission, object }, warnings);
  ensureObject(object, "metadata").resourceVersion = current.metadata.resourceVersion;
  return { object: complete, namedVersion: wanted !== "" };
}

/** Stores the object, or removes it when this was its last finalizer. Undefined when `current` is no longer what is stored. */
function commit(call: ResourceCall, object: KubeObject, current: KubeObject): KubeObject | undefined {
  const { store } = call.context;
  const { resource } = call.target;
  if (equalJson(object, current)) return store.get(resource, current.metadata.namespace, current.metadata.name);
  if (isReleased(object)) return store.remove(resource, current) === undefined ? undefined : object;
  return store.put(resource, object, current);
}

/** Marked for deletion, with nothing left to wait for. */
export function isReleased(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  if (object.kind === "Namespace" && listOf(at(object, "spec", "finalizers")).length > 0) return false;
  return (finalizers ?? []).length === 0;
}

const NOT_CONTENT = new Set(["apiVersion", "kind", "metadata", "status"]);

/** Takes from the incoming object only what its path may change. `object` is ours to edit. */
function isolate(
  object: JsonObject,
  current: KubeObject,
  resource: Resource,
  subresource: string | undefined,
): JsonObject {
  const stored = objectOf(current);
  const keep = (key: "spec" | "status") => {
    if (stored[key] === undefined) delete object[key];
    else object[key] = cloneJson(stored[key]);
  };
  switch (subresource) {
    case undefined:
      if ((resource.subresources ?? []).includes("status")) keep("status");
      if (resource.kind === "Namespace") keep("spec");
      if (resource.kind === "Pod") {
        const before = at(stored, "spec", "ephemeralContainers");
        if (before === undefined) delete ensureObject(object, "spec").ephemeralContainers;
        else ensureObject(object, "spec").ephemeralContainers = cloneJson(before);
      }
      return object;
    case "status": {
      if (resource.custom === true) {
        const next = cloneJson(stored);
        if (object.status === undefined) delete next.status;
        else next.status = object.status;
        return next;
      }
      // Shared with the stored object: nothing edits them on this path.
      for (const key of Object.keys(object)) if (!NOT_CONTENT.has(key) && stored[key] === undefined) delete object[key];
      for (const key of Object.keys(stored)) if (!NOT_CONTENT.has(key)) object[key] = stored[key];
      ensureObject(object, "metadata").ownerReferences = cloneJson(current.metadata.ownerReferences);
      if (current.metadata.ownerReferences === undefined) delete ensureObject(object, "metadata").ownerReferences;
      return object;
    }
    case "finalize": {
      const next = cloneJson(stored);
      const finalizers = at(object, "spec", "finalizers");
      if (finalizers === undefined) delete ensureObject(next, "spec").finalizers;
      else ensureObject(next, "spec").finalizers = finalizers;
      return next;
    }
    case "ephemeralcontainers": {
      const next = cloneJson(stored);
      ensureObject(next, "spec").ephemeralContainers = at(object, "spec", "ephemeralContainers") ?? [];
      return next;
    }
    default:
      return object;
  }
}
