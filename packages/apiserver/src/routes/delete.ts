/**
 * DELETE of one object and of a collection. An object is removed at once, or only marked (deletionTimestamp) when somebody has still work
 * to do: finalizers, the kubelet of a running pod, the namespace controller.
 * Sources: Kubernetes API concepts, "Resource deletion"; "Garbage Collection"; "Pod Lifecycle", termination.
 */
import { parseRfc3339, rfc3339Seconds } from "@argyle/core";
import { type KubeObject, RESOURCES, type Resource } from "@argyle/kube-types";
import { decodeBody, readBody } from "../body.ts";
import type { Call, Reply, ResourceCall } from "../context.ts";
import { at, isJsonObject, type JsonObject, listOf, textAt, textOf } from "../json.ts";
import type { Target } from "../request-target.ts";
import { readSelection } from "../selection.ts";
import { badRequest, conflict, forbidden, notFound } from "../status.ts";
import { isReleased } from "./update-object.ts";

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: "Background" | "Foreground" | "Orphan";
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly isDryRun: boolean;
}

export async function deleteOne(call: ResourceCall): Promise<Reply> {
  const options = readDeleteOptions(await readOptionsBody(call), call.query);
  const { resource, namespace, name = "" } = call.target;
  const { object, isGone } = await deleteObject(call, call.target, name, namespace, options);
  if (!isGone) return { kind: "object", code: 200, object, resource };
  return {
    kind: "json",
    code: 200,
    body: {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: {
        name,
        ...(resource.group === "" ? {} : { group: resource.group }),
        kind: resource.plural,
        uid: object.metadata.uid,
      },
    },
  };
}

export async function deleteCollection(call: ResourceCall): Promise<Reply> {
  const options = readDeleteOptions(await readOptionsBody(call), call.query);
  const { resource, namespace } = call.target;
  const selection = readSelection(call.query, resource);
  const items: KubeObject[] = [];
  for (const object of call.context.store.list(resource, namespace).filter(selection.matches)) {
    const { name, namespace: where } = object.metadata;
    if (call.context.store.get(resource, where, name) === undefined) continue;
    items.push((await deleteObject(call, call.target, name, where, options)).object);
  }
  return { kind: "list", items, revision: call.context.store.revision() };
}

async function readOptionsBody(call: Call): Promise<JsonObject> {
  return decodeBody(await readBody(call.request), call.request.headers["content-type"]) ?? {};
}

export function readDeleteOptions(body: JsonObject, query: URLSearchParams): DeleteOptions {
  const graceText = query.get("gracePeriodSeconds");
  const grace = typeof body.gracePeriodSeconds === "number" ? body.gracePeriodSeconds : undefined;
  const policy = textOf(body.propagationPolicy) ?? query.get("propagationPolicy") ?? undefined;
  if (policy !== undefined && policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
    throw badRequest(`invalid DeletionPropagation "${policy}"`);
  }
  const isOrphan = body.orphanDependents === true || query.get("orphanDependents") === "true";
  return {
    gracePeriodSeconds: grace ?? (graceText === null || graceText === "" ? undefined : Number(graceText)),
    propagation: policy ?? (isOrphan ? "Orphan" : "Background"),
    uid: textAt(body, "preconditions", "uid"),
    resourceVersion: textAt(body, "preconditions", "resourceVersion"),
    isDryRun: listOf(body.dryRun).includes("All") || query.get("dryRun") === "All",
  };
}

export async function deleteObject(
  call: Call,
  target: Pick<Target, "resource" | "version">,
  name: string,
  namespace: string | undefined,
  options: DeleteOptions,
): Promise<{ readonly object: KubeObject; readonly isGone: boolean }> {
  const { store, admission, clock } = call.context;
  const { resource } = target;
  for (;;) {
    const current = store.get(resource, namespace, name);
    if (current === undefined) throw notFound(resource, name);
    checkPreconditions(resource, current, options);
    if (resource.kind === "Namespace" && IMMORTAL.has(name)) {
      throw forbidden(resource, name, "this namespace may not be deleted");
    }
    await admission.validate(
      {
        operation: "DELETE",
        resource,
        version: target.version,
        subresource: undefined,
        namespace: resource.kind === "Namespace" ? name : namespace,
        name,
        object: undefined,
        oldObject: current,
        user: call.user,
        isDryRun: options.isDryRun,
        options: { kind: "DeleteOptions", apiVersion: "meta.k8s.io/v1" },
      },
      call.warnings,
    );
    const hasDependents = options.propagation !== "Background" && isOwner(call, current);
    const marked = markDeleted(current, options, clock.now(), hasDependents);
    if (options.isDryRun) return { object: marked, isGone: isReleased(marked) };
    if (isReleased(marked)) {
      const last = store.remove(resource, current);
      if (last !== undefined) return { object: last, isGone: true };
    } else if (marked === current) return { object: current, isGone: false };
    else {
      const stored = store.put(resource, marked, current);
      if (stored !== undefined) return { object: stored, isGone: false };
    }
  }
}

const IMMORTAL = new Set(["default", "kube-system", "kube-public"]);

function checkPreconditions(resource: Resource, current: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion, name } = current.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(resource, name, why);
  }
}

/** The object as it stands after the request; the same one when the request changes nothing. Pure. */
function markDeleted(
  current: KubeObject,
  options: Pick<DeleteOptions, "gracePeriodSeconds" | "propagation">,
  nowMs: number,
  hasDependents: boolean,
): KubeObject {
  const { metadata } = current;
  const graceSeconds = graceOf(current, options.gracePeriodSeconds);
  const finalizers = new Set(metadata.finalizers ?? []);
  if (hasDependents) {
    finalizers.delete(options.propagation === "Foreground" ? "orphan" : "foregroundDeletion");
    finalizers.add(options.propagation === "Foreground" ? "foregroundDeletion" : "orphan");
  }
  const isFresh = metadata.deletionTimestamp === undefined;
  const oldGrace = metadata.deletionGracePeriodSeconds ?? 0;
  if (!isFresh && graceSeconds >= oldGrace && finalizers.size === (metadata.finalizers ?? []).length) return current;
  const startMs = isFresh ? nowMs : (parseRfc3339(metadata.deletionTimestamp ?? "") ?? nowMs) - oldGrace * 1000;
  const grace = isFresh ? graceSeconds : Math.min(graceSeconds, oldGrace);
  const marked: KubeObject = {
    ...current,
    metadata: {
      ...metadata,
      ...(finalizers.size === 0 ? {} : { finalizers: [...finalizers] }),
      ...(isFresh && metadata.generation !== undefined ? { generation: metadata.generation + 1 } : {}),
      deletionTimestamp: rfc3339Seconds(startMs + grace * 1000),
      deletionGracePeriodSeconds: grace,
    },
  };
  if (current.kind !== "Namespace") return marked;
  const { deletionGracePeriodSeconds: _none, ...namespaceMetadata } = marked.metadata;
  const status = isJsonObject(current.status) ? current.status : {};
  return { ...marked, metadata: namespaceMetadata, status: { ...status, phase: "Terminating" } };
}

/** Only a pod that a kubelet runs is given time. */
function graceOf(object: KubeObject, asked: number | undefined): number {
  if (object.kind !== "Pod") return 0;
  const phase = textAt(object, "status", "phase");
  if (!textAt(object, "spec", "nodeName") || phase === "Succeeded" || phase === "Failed") return 0;
  const own = at(object, "spec", "terminationGracePeriodSeconds");
  const grace = asked ?? (typeof own === "number" ? own : 30);
  return Number.isFinite(grace) && grace >= 0 ? grace : 1;
}

function isOwner(call: Call, object: KubeObject): boolean {
  const { uid, namespace } = object.metadata;
  return RESOURCES.some((resource) =>
    call.context.store
      .list(resource, resource.namespaced ? namespace : undefined)
      .some((other) => (other.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid)),
  );
}
