/** metadata.managedFields as a list of managers with their field sets, and back. */
import { isJsonObject, type JsonObject, listOf, objectOf, textOf } from "../json.ts";
import { decodeFieldsV1, encodeFieldsV1, type FieldSet, isEmptySet } from "./field-set.ts";

export interface FieldOwner {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly subresource: string | undefined;
  readonly apiVersion: string;
  readonly time: string;
  readonly fields: FieldSet;
}

export type OwnerId = Pick<FieldOwner, "manager" | "operation" | "subresource">;

/** Whose entry it is; undefined for anything unreadable. */
export function ownerOf(entry: unknown): OwnerId | undefined {
  if (!isJsonObject(entry)) return undefined;
  const { operation } = entry;
  if (operation !== "Apply" && operation !== "Update") return undefined;
  return { manager: textOf(entry.manager) ?? "", operation, subresource: textOf(entry.subresource) };
}

/** `[{}]` is how a client asks to forget all ownership: it decodes to an empty list, like anything unreadable. */
export function decodeOwners(managedFields: unknown): readonly FieldOwner[] {
  return listOf(managedFields).flatMap((entry): readonly FieldOwner[] => {
    const owner = ownerOf(entry);
    if (owner === undefined || !isJsonObject(entry)) return [];
    return [
      {
        ...owner,
        apiVersion: textOf(entry.apiVersion) ?? "",
        time: textOf(entry.time) ?? "",
        fields: decodeFieldsV1(entry.fieldsV1),
      },
    ];
  });
}

export function encodeOwners(owners: readonly FieldOwner[]): readonly JsonObject[] {
  return owners
    .filter((owner) => !isEmptySet(owner.fields))
    .map((owner) => ({
      manager: owner.manager,
      operation: owner.operation,
      apiVersion: owner.apiVersion,
      ...(owner.time === "" ? {} : { time: owner.time }),
      fieldsType: "FieldsV1",
      fieldsV1: encodeFieldsV1(owner.fields),
      ...(owner.subresource === undefined ? {} : { subresource: owner.subresource }),
    }));
}

/** The entry owns something, and nothing below the members that `fields` names: it stays as it is. */
export function isApart(entry: unknown, fields: FieldSet): boolean {
  const elements = isJsonObject(entry) ? Object.keys(objectOf(entry.fieldsV1)) : [];
  return elements.length > 0 && elements.every((element) => !fields.children.has(element));
}

export function isOwner(owner: OwnerId, id: OwnerId): boolean {
  return owner.manager === id.manager && owner.operation === id.operation && owner.subresource === id.subresource;
}
