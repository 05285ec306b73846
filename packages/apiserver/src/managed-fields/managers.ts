/** metadata.managedFields as a list of managers with their field sets, and back. */
import { isJsonObject, type JsonObject, listOf, textOf } from "../json.ts";
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

/** `[{}]` is how a client asks to forget all ownership: it decodes to an empty list, like anything unreadable. */
export function decodeOwners(managedFields: unknown): readonly FieldOwner[] {
  return listOf(managedFields).flatMap((entry): readonly FieldOwner[] => {
    if (!isJsonObject(entry)) return [];
    const { operation } = entry;
    if (operation !== "Apply" && operation !== "Update") return [];
    return [
      {
        manager: textOf(entry.manager) ?? "",
        operation,
        subresource: textOf(entry.subresource),
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

export function isOwner(owner: FieldOwner, id: OwnerId): boolean {
  return owner.manager === id.manager && owner.operation === id.operation && owner.subresource === id.subresource;
}
