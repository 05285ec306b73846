/** PATCH application/apply-patch+yaml: makes the object, or merges the configuration into it, with ownership by field. */
import { rfc3339Seconds } from "@argyle/core";
import { apiVersionOf, type KubeObject } from "@argyle/kube-types";
import type { ResourceCall } from "../context.ts";
import { requireKind } from "../incoming.ts";
import { ensureObject, type JsonObject, listOf, objectOf, textAt } from "../json.ts";
import { emptySet } from "../managed-fields/field-set.ts";
import { decodeOwners, encodeOwners, type FieldOwner } from "../managed-fields/managers.ts";
import { ownablePart } from "../managed-fields/record.ts";
import { fieldsOf } from "../managed-fields/walk.ts";
import { type ApplyResult, applyConfiguration, withoutNulls } from "../patch/apply.ts";
import { badRequest, failure, notFound, StatusError } from "../status.ts";
import type { WriteOptions } from "../write-options.ts";
import { createObject } from "./create.ts";
import { updateObject } from "./update-object.ts";

export async function applyObject(
  call: ResourceCall,
  body: JsonObject,
  options: WriteOptions,
): Promise<{ readonly object: KubeObject; readonly isNew: boolean }> {
  const { resource, namespace, version, name = "", subresource } = call.target;
  const { store, schemas, clock } = call.context;
  if (call.query.get("fieldManager") === null) throw badRequest("fieldManager is required for apply patch");
  const { config, warnings } = readConfig(call, body, options);
  const shape = schemas.fieldAt(apiVersionOf(resource), resource.kind);
  const applier = {
    manager: options.fieldManager,
    operation: "Apply" as const,
    subresource: subresource === "status" ? "status" : undefined,
    apiVersion: apiVersionOf(resource, version),
    time: rfc3339Seconds(clock.now()),
  };
  if (store.get(resource, namespace, name) === undefined) {
    if (subresource !== undefined) throw notFound(resource, name);
    const owners = encodeOwners([{ ...applier, fields: fieldsOf(config, shape) }]);
    call.warnings.push(...warnings);
    try {
      const target = { ...call.target, name: undefined };
      return { object: await createObject({ ...call, target }, config, options, owners), isNew: true };
    } catch (error) {
      // Somebody was faster: then it is an update.
      if (!(error instanceof StatusError) || error.status.reason !== "AlreadyExists") throw error;
    }
  }
  let owners: readonly FieldOwner[] = [];
  const compute = (current: KubeObject): JsonObject => {
    call.warnings.push(...warnings);
    const live = objectOf(current);
    const known = ownersOf(current, shape);
    const result = applyConfiguration({ live, config, owners: known, applier, force: options.force, shape });
    if (result.kind === "conflicts") throw conflictStatus(result.conflicts);
    owners = result.owners;
    // Unless the configuration itself names a resourceVersion, the newest object is the one to apply to.
    const metadata = ensureObject(result.object, "metadata");
    metadata.resourceVersion = textAt(config, "metadata", "resourceVersion") ?? "";
    return result.object;
  };
  const object = await updateObject(call, { compute, managedFields: () => encodeOwners(owners) }, options);
  return { object, isNew: false };
}

function readConfig(
  call: ResourceCall,
  body: JsonObject,
  options: WriteOptions,
): { readonly config: JsonObject; readonly warnings: readonly string[] } {
  const { resource, version, subresource, name = "" } = call.target;
  const config = withoutNulls(body);
  requireKind(config, resource, version);
  const metadata = ensureObject(config, "metadata");
  if (listOf(metadata.managedFields).length > 0) throw badRequest("metadata.managedFields must be nil");
  delete metadata.managedFields;
  delete metadata.creationTimestamp;
  metadata.name ??= name;
  if (metadata.name !== name) {
    throw badRequest(`metadata.name (${String(metadata.name)}) does not match the name on the URL (${name})`);
  }
  // Unknown fields must not be owned, so they go before the merge.
  const { unknownFields, pruned } = call.context.schemas.check(apiVersionOf(resource, version), resource.kind, config);
  const warnings = unknownFields.map((field) => `unknown field "${field}"`);
  if (warnings.length > 0 && options.fieldValidation === "Strict") {
    throw badRequest(`failed to create typed patch object: strict decoding error: ${warnings.join(", ")}`);
  }
  const hasStatus = (resource.subresources ?? []).includes("status");
  const { apiVersion, kind } = config;
  const own = hasStatus ? { apiVersion, kind, ...ownablePart(objectOf(pruned), subresource) } : objectOf(pruned);
  return { config: own, warnings: options.fieldValidation === "Warn" ? warnings : [] };
}

/** An object that nobody's ownership is known of (made before it was tracked) belongs to `before-first-apply`. */
function ownersOf(current: KubeObject, shape: Parameters<typeof fieldsOf>[1]): readonly FieldOwner[] {
  const owners = decodeOwners(current.metadata.managedFields);
  if (owners.length > 0) return owners;
  const { status: _status, ...main } = objectOf(current);
  return [
    {
      manager: "before-first-apply",
      operation: "Update",
      subresource: undefined,
      apiVersion: current.apiVersion,
      time: "",
      fields: Object.keys(main).length === 0 ? emptySet() : fieldsOf(main, shape),
    },
  ];
}

function conflictStatus(conflicts: Extract<ApplyResult, { kind: "conflicts" }>["conflicts"]): StatusError {
  const byOwner = new Map<string, string[]>();
  const described = conflicts.map(({ owner, path }) => {
    const sub = owner.subresource === undefined ? "" : ` with subresource "${owner.subresource}"`;
    const at = owner.time === "" ? "" : ` at ${owner.time}`;
    const who = `"${owner.manager}"${sub}${owner.operation === "Apply" ? "" : ` using ${owner.apiVersion}${at}`}`;
    byOwner.set(who, [...(byOwner.get(who) ?? []), path]);
    return { reason: "FieldManagerConflict", message: `conflict with ${who}`, field: path };
  });
  const lines = [...byOwner].map(([who, paths]) =>
    paths.length === 1 ? `conflict with ${who}: ${paths[0]}` : `conflicts with ${who}:\n- ${paths.join("\n- ")}`,
  );
  const count = `${conflicts.length} conflict${conflicts.length === 1 ? "" : "s"}`;
  return failure(409, "Conflict", `Apply failed with ${count}: ${lines.join("\n")}`, { causes: described });
}
