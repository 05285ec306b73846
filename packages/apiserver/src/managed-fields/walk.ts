/**
 * Objects as sets of fields: which fields an object has, and which differ between two objects. The schema's shape says which lists are
 * keyed and what is owned as a whole. Pure.
 * Source: Kubernetes documentation, "Server-Side Apply", "Merge strategy".
 */
import type { FieldShape } from "@argyle/kube-types";
import { equalJson, isJsonObject, type JsonObject } from "../json.ts";
import { childOf, emptySet, type FieldSet } from "./field-set.ts";

export type Shape = FieldShape | undefined;

/** Metadata that belongs to the server or names the object: never owned by a manager. */
const UNOWNED_METADATA = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
  "managedFields",
]);

export function fieldsOf(object: JsonObject, shape: Shape): FieldSet {
  const root = emptySet();
  collect(withoutUnowned(object), shape, root);
  root.isMember = false;
  return root;
}

export interface Comparison {
  /** Added or with another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

export function compareFields(before: JsonObject, after: JsonObject, shape: Shape): Comparison {
  const changed = emptySet();
  const removed = emptySet();
  compare(withoutUnowned(before), withoutUnowned(after), shape, changed, removed);
  changed.isMember = false;
  removed.isMember = false;
  return { changed, removed };
}

/** The path element of an entry of a keyed list or set, unique within the list; undefined for a list owned as a whole. */
export function elementsOf(list: readonly unknown[], shape: Shape): readonly string[] | undefined {
  if (shape === undefined || shape.listType === "atomic") return undefined;
  if (shape.listType === "set") return list.map((value) => `v:${JSON.stringify(value)}`);
  const keys = [...shape.listKeys].sort();
  const item = shape.item();
  return list.map((value, index) => {
    const id: JsonObject = {};
    for (const key of keys) {
      const found = (isJsonObject(value) ? value[key] : undefined) ?? item?.child(key)?.defaultValue;
      if (found !== undefined && found !== null) id[key] = found;
    }
    return Object.keys(id).length === 0 ? `i:${index}` : `k:${JSON.stringify(id)}`;
  });
}

export function isGranular(value: unknown, shape: Shape): value is JsonObject {
  return isJsonObject(value) && shape?.isAtomic !== true;
}

function collect(value: unknown, shape: Shape, into: FieldSet): void {
  if (Array.isArray(value)) {
    const elements = elementsOf(value, shape);
    if (elements === undefined || value.length === 0) {
      into.isMember = true;
      return;
    }
    for (const [index, element] of elements.entries()) {
      const child = childOf(into, element);
      collect(value[index], shape?.item(), child);
      child.isMember = true;
    }
    return;
  }
  if (!isGranular(value, shape) || Object.keys(value).length === 0) {
    into.isMember = true;
    return;
  }
  for (const key of Object.keys(value)) collect(value[key], shape?.child(key), childOf(into, `f:${key}`));
}

function compare(before: unknown, after: unknown, shape: Shape, changed: FieldSet, removed: FieldSet): void {
  if (before === undefined) {
    if (after !== undefined) collect(after, shape, changed);
    return;
  }
  if (after === undefined) {
    collect(before, shape, removed);
    return;
  }
  if (isGranular(before, shape) && isGranular(after, shape)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      descend(changed, removed, `f:${key}`, (c, r) => compare(before[key], after[key], shape?.child(key), c, r));
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const was = elementsOf(before, shape);
    const is = elementsOf(after, shape);
    if (was !== undefined && is !== undefined) {
      const old = new Map(was.map((element, index) => [element, before[index]]));
      const now = new Map(is.map((element, index) => [element, after[index]]));
      for (const element of new Set([...was, ...is])) {
        descend(changed, removed, element, (c, r) => {
          compare(old.get(element), now.get(element), shape?.item(), c, r);
          if (!old.has(element)) c.isMember = true;
          if (!now.has(element)) r.isMember = true;
        });
      }
      return;
    }
  }
  if (!equalJson(before, after)) collect(after, shape, changed);
}

/** Runs with a child of each set, and keeps those that got something. */
function descend(
  changed: FieldSet,
  removed: FieldSet,
  element: string,
  run: (changed: FieldSet, removed: FieldSet) => void,
): void {
  const c = emptySet();
  const r = emptySet();
  run(c, r);
  if (c.isMember || c.children.size > 0) changed.children.set(element, c);
  if (r.isMember || r.children.size > 0) removed.children.set(element, r);
}

function withoutUnowned(object: JsonObject): JsonObject {
  const { apiVersion: _a, kind: _k, metadata, ...rest } = object;
  if (!isJsonObject(metadata)) return rest;
  const own = Object.fromEntries(Object.entries(metadata).filter(([key]) => !UNOWNED_METADATA.has(key)));
  return Object.keys(own).length === 0 ? rest : { ...rest, metadata: own };
}
