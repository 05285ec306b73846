/**
 * Server-side apply. The configuration is merged into the live object; what this manager applied before and does not name any more goes,
 * unless somebody else owns it; a field that would change although another manager owns it is a conflict, or with `force` changes hands.
 * Pure. Source: Kubernetes documentation, "Server-Side Apply".
 */
import { cloneJson, isJsonObject, type JsonObject, setOwn } from "../json.ts";
import {
  difference,
  emptySet,
  encodeFieldsV1,
  type FieldSet,
  intersection,
  isEmptySet,
  printPaths,
  unionOf,
} from "../managed-fields/field-set.ts";
import { type FieldOwner, isOwner, type OwnerId } from "../managed-fields/managers.ts";
import { compareFields, elementsOf, fieldsOf, isGranular, type Shape } from "../managed-fields/walk.ts";

export interface ApplyRequest {
  readonly live: JsonObject;
  readonly config: JsonObject;
  readonly owners: readonly FieldOwner[];
  readonly applier: OwnerId & { readonly apiVersion: string; readonly time: string };
  readonly force: boolean;
  readonly shape: Shape;
}

export interface FieldConflict {
  readonly owner: FieldOwner;
  readonly path: string;
}

export type ApplyResult =
  | { readonly kind: "applied"; readonly object: JsonObject; readonly owners: readonly FieldOwner[] }
  | { readonly kind: "conflicts"; readonly conflicts: readonly FieldConflict[] };

export function applyConfiguration(request: ApplyRequest): ApplyResult {
  const { live, config, shape, applier } = request;
  const own = request.owners.find((owner) => isOwner(owner, applier));
  let others = request.owners.filter((owner) => owner !== own);
  const applied = fieldsOf(config, shape);
  const merged = mergeConfig(live, config, shape);
  const { changed } = compareFields(live, merged, shape);

  const contested = others.map((owner) => ({ owner, fields: intersection(owner.fields, changed) }));
  const conflicts = contested.flatMap(({ owner, fields }) => printPaths(fields).map((path) => ({ owner, path })));
  if (conflicts.length > 0 && !request.force) return { kind: "conflicts", conflicts };
  others = contested.map(({ owner, fields }) => ({ ...owner, fields: difference(owner.fields, fields) }));

  const kept = unionOf([applied, ...others.map((owner) => owner.fields)]);
  const object = own === undefined ? merged : prune(merged, own.fields, kept, shape);
  const isSame =
    own !== undefined && JSON.stringify(encodeFieldsV1(own.fields)) === JSON.stringify(encodeFieldsV1(applied));
  const mine: FieldOwner = { ...applier, time: isSame ? own.time : applier.time, fields: applied };
  const position = own === undefined ? others.length : request.owners.indexOf(own);
  return { kind: "applied", object, owners: [...others.slice(0, position), mine, ...others.slice(position)] };
}

function mergeConfig(live: JsonObject, config: JsonObject, shape: Shape): JsonObject {
  const result = cloneJson(live);
  for (const key of Object.keys(config)) {
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    setOwn(result, key, mergeValue(before, config[key], shape?.child(key)));
  }
  return result;
}

function mergeValue(live: unknown, config: unknown, shape: Shape): unknown {
  if (isGranular(live, shape) && isGranular(config, shape)) return mergeConfig(live, config, shape);
  if (Array.isArray(live) && Array.isArray(config)) {
    const was = elementsOf(live, shape);
    const is = elementsOf(config, shape);
    if (was !== undefined && is !== undefined) return mergeList(live, was, config, is, shape);
  }
  return cloneJson(config);
}

/** Entries of the configuration in its order, in the places where they stood; those of others stay where they were; new ones come last. */
function mergeList(
  live: readonly unknown[],
  was: readonly string[],
  config: readonly unknown[],
  is: readonly string[],
  shape: Shape,
): unknown[] {
  const wanted = [...new Set(is)];
  const mergedEntry = (element: string) => {
    const before = live[was.indexOf(element)];
    const after = config[is.lastIndexOf(element)];
    return was.includes(element) ? mergeValue(before, after, shape?.item()) : cloneJson(after);
  };
  const present = wanted.filter((element) => was.includes(element));
  const result: unknown[] = [];
  const placed = new Set<string>();
  let next = 0;
  for (const [index, element] of was.entries()) {
    if (!wanted.includes(element)) result.push(cloneJson(live[index]));
    else if (!placed.has(element)) {
      placed.add(element);
      const chosen = present[next++];
      if (chosen !== undefined) result.push(mergedEntry(chosen));
    }
  }
  for (const element of wanted) if (!was.includes(element)) result.push(mergedEntry(element));
  return result;
}

/** Takes out what was applied before (`last`) and is neither applied now nor owned by anybody (`kept`). */
function prune(value: JsonObject, last: FieldSet, kept: FieldSet, shape: Shape): JsonObject {
  const result = cloneJson(value);
  pruneNode(result, last, kept, shape, true);
  return result;
}

function pruneNode(value: unknown, last: FieldSet, kept: FieldSet, shape: Shape, isRoot: boolean): void {
  if (Array.isArray(value)) {
    const elements = elementsOf(value, shape);
    if (elements === undefined) return;
    for (let index = elements.length - 1; index >= 0; index--) {
      const element = elements[index] ?? "";
      const before = last.children.get(element);
      if (before === undefined) continue;
      const now = kept.children.get(element);
      if (now === undefined || isEmptySet(now)) value.splice(index, 1);
      else pruneNode(value[index], before, now, shape?.item(), false);
    }
    return;
  }
  if (!isJsonObject(value) || shape?.isAtomic === true) return;
  for (const [element, before] of last.children) {
    if (!element.startsWith("f:")) continue;
    const key = element.slice(2);
    if (!Object.hasOwn(value, key)) continue;
    const now = kept.children.get(element);
    // metadata itself is not a field that anybody can give up.
    if ((now === undefined || isEmptySet(now)) && !(isRoot && key === "metadata")) delete value[key];
    else pruneNode(value[key], before, now ?? emptySet(), shape?.child(key), false);
  }
}

/** A configuration without nulls: they say nothing in a server-side apply. */
export function withoutNulls(value: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === null || member === undefined) continue;
    setOwn(
      result,
      key,
      isJsonObject(member)
        ? withoutNulls(member)
        : Array.isArray(member)
          ? member.map((m) => (isJsonObject(m) ? withoutNulls(m) : m))
          : member,
    );
  }
  return result;
}
