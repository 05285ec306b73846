/**
 * POST to a collection: decode, fit to the schema, system metadata, admission, strategy of the kind, validation, commit.
 * Also the second half of a server-side apply that makes a new object.
 */
import { type KubeObject, resourceOf, validateCreate } from "@argyle/kube-types";
import { decodeBody, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { fitToSchema, requireKind } from "../incoming.ts";
import { cloneJson, equalJson, type JsonObject, textAt } from "../json.ts";
import { recordManager } from "../managed-fields/record.ts";
import { alreadyExists, badRequest, forbidden, invalid, notFound } from "../status.ts";
import { prepareKind, resetStatus } from "../strategy/kinds.ts";
import { prepareMetadataForCreate } from "../strategy/metadata.ts";
import { readWriteOptions, type WriteOptions } from "../write-options.ts";

const NAMESPACES = resourceOf("Namespace");

export async function postObject(call: ResourceCall): Promise<Reply> {
  const options = readWriteOptions(call.query, call.request.headers["user-agent"]);
  const body = decodeBody(await readBody(call.request), call.request.headers["content-type"]);
  if (body === undefined) throw badRequest("the request has no body");
  const object = await createObject(call, body, options);
  return { kind: "object", code: 201, object, resource: call.target.resource };
}

/** `managedFields` is given by server-side apply, which has worked out the ownership itself. */
export async function createObject(
  call: ResourceCall,
  body: JsonObject,
  options: WriteOptions,
  managedFields?: readonly unknown[],
): Promise<KubeObject> {
  const { context, target, warnings } = call;
  const { resource, version, namespace } = target;
  const { store, schemas } = context;
  requireKind(body, resource, version);
  requireNamespace(call, textAt(body, "metadata", "name") ?? "");
  const fit = { schemas, resource, version, options, warnings };
  let object = fitToSchema(body, fit);
  prepareMetadataForCreate(object, resource, namespace, context.clock);
  resetStatus(object, resource);
  const name = textAt(object, "metadata", "name") ?? "";
  if (store.get(resource, namespace, name) !== undefined) throw alreadyExists(resource, name);

  // Before admission: what admission adds is nobody's, so a later apply that does not name it leaves it alone.
  recordManager(object, undefined, {
    options,
    subresource: undefined,
    version,
    schemas,
    clock: context.clock,
    managedFields,
  });
  const admission = {
    operation: "CREATE" as const,
    resource,
    version,
    subresource: undefined,
    namespace: resource.kind === "Namespace" ? name : namespace,
    name,
    oldObject: undefined,
    user: call.user,
    isDryRun: options.isDryRun,
    options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1", fieldManager: options.fieldManager },
  };
  const admitted = await context.admission.mutate({ ...admission, object }, warnings);
  if (!equalJson(admitted, object)) {
    object = fitToSchema(
      { ...cloneJson(admitted), apiVersion: `${textAt(object, "apiVersion")}` },
      { ...fit, version: resource.versions[0] ?? version, options: { fieldValidation: "Ignore" } },
    );
  }
  const complete = object as unknown as KubeObject;
  const problems = [...prepareKind(object, resource, undefined, context.allocator), ...validateCreate(complete)];
  if (problems.length > 0) throw invalid(resource.kind, resource.group, name, problems);
  await context.admission.validate({ ...admission, object }, warnings);

  if (options.isDryRun) return complete;
  requireNamespace(call, name);
  const stored = store.put(resource, complete, "absent");
  if (stored === undefined) throw alreadyExists(resource, name);
  return stored;
}

/** Checked again right before the commit: the namespace may have gone while webhooks were asked. */
function requireNamespace(call: ResourceCall, name: string): void {
  const { resource, namespace } = call.target;
  if (!resource.namespaced) return;
  if (namespace === undefined) throw badRequest("an object of this kind needs a namespace in its URL");
  const found = call.context.store.get(NAMESPACES, undefined, namespace);
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (found.metadata.deletionTimestamp !== undefined) {
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const message = `namespace ${namespace} is being terminated`;
    throw forbidden(resource, name, why, [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }]);
  }
}
