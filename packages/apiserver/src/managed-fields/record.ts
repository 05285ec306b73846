/**
 * Ownership after an ordinary write (create, PUT, patches other than apply): who changes a field owns it, and nobody else does any more.
 * A body may carry managedFields of its own (kubectl moves them when it goes over to server-side apply): they are the starting point then.
 */
import { type Clock, rfc3339Seconds } from "@argyle/core";
import type { Schemas } from "@argyle/kube-types";
import { apiVersionOf, findResource, type KubeObject } from "@argyle/kube-types";
import { ensureObject, equalJson, type JsonObject, listOf, objectOf } from "../json.ts";
import type { WriteOptions } from "../write-options.ts";
import { difference, encodeFieldsV1, isEmptySet, unionOf } from "./field-set.ts";
import { decodeOwners, encodeOwners, type FieldOwner, isApart, isOwner, ownerOf } from "./managers.ts";
import { compareFields } from "./walk.ts";

export interface RecordRequest {
  readonly options: Pick<WriteOptions, "fieldManager">;
  readonly subresource: string | undefined;
  readonly version: string;
  readonly schemas: Schemas;
  readonly clock: Clock;
  /** Worked out by server-side apply already. */
  readonly managedFields: readonly unknown[] | undefined;
}

/** Written often, by one program each, and never applied: their ownership would be noise. */
const UNTRACKED = new Set(["Lease", "Event", "Endpoints", "EndpointSlice"]);

export function recordManager(object: JsonObject, current: KubeObject | undefined, request: RecordRequest): void {
  const metadata = ensureObject(object, "metadata");
  const set = (fields: readonly unknown[]) => {
    if (fields.length === 0) delete metadata.managedFields;
    else metadata.managedFields = fields;
  };
  if (request.managedFields !== undefined) {
    set(request.managedFields);
    return;
  }
  const kind = String(object.kind);
  const given = listOf(metadata.managedFields);
  const known = given.length > 0 ? given : (current?.metadata.managedFields ?? []);
  if (UNTRACKED.has(kind)) {
    set(known);
    return;
  }
  const stored = String(object.apiVersion);
  const resource = findResource(stored, kind);
  const shape = request.schemas.fieldAt(stored, kind);
  const part = (whole: JsonObject) => ownablePart(whole, request.subresource);
  const { changed, removed } = compareFields(part(objectOf(current)), part(object), shape);
  if (isEmptySet(changed) && isEmptySet(removed)) {
    set(given.length > 0 ? encodeOwners(decodeOwners(known)) : known);
    return;
  }
  const id = {
    manager: request.options.fieldManager,
    operation: "Update" as const,
    subresource: request.subresource === "status" ? "status" : undefined,
  };
  const touched = unionOf([changed, removed]);
  let own: FieldOwner | undefined;
  const next: unknown[] = [];
  for (const entry of known) {
    const owner = ownerOf(entry);
    if (owner === undefined) continue;
    if (isOwner(owner, id)) own = decodeOwners([entry])[0];
    else if (isApart(entry, touched)) next.push(entry);
    else
      for (const other of decodeOwners([entry]))
        next.push(...encodeOwners([{ ...other, fields: difference(other.fields, touched) }]));
  }
  const fields = difference(unionOf([...(own === undefined ? [] : [own.fields]), changed]), removed);
  const isSame = own !== undefined && equalJson(encodeFieldsV1(fields), encodeFieldsV1(own.fields));
  const entry = {
    ...id,
    apiVersion: resource === undefined ? stored : apiVersionOf(resource, request.version),
    time: isSame && own !== undefined ? own.time : rfc3339Seconds(request.clock.now()),
    fields,
  };
  set([...next, ...encodeOwners([entry])]);
}

/** The status belongs to the writers of the status subresource, everything else to those of the object. */
export function ownablePart(object: JsonObject, subresource: string | undefined): JsonObject {
  const { status, ...rest } = object;
  if (subresource !== "status") return rest;
  const metadata = objectOf(object.metadata);
  return { metadata, ...(status === undefined ? {} : { status }) };
}
