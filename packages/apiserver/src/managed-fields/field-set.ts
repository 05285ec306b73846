/**
 * A set of field paths as a tree, and its wire form FieldsV1: `{"f:spec":{"f:replicas":{}}}`. A path element is `f:NAME`, `k:{"key":value}` for an
 * entry of a keyed list, `v:VALUE` for one of a set, `i:INDEX`. `.` marks that an inner element is itself in the set. Pure.
 * Source: Kubernetes API reference, meta/v1 FieldsV1.
 */
import { isJsonObject, type JsonObject } from "../json.ts";

export interface FieldSet {
  isMember: boolean;
  readonly children: Map<string, FieldSet>;
}

export function emptySet(): FieldSet {
  return { isMember: false, children: new Map() };
}

export function isEmptySet(set: FieldSet | undefined): boolean {
  return set === undefined || (!set.isMember && [...set.children.values()].every(isEmptySet));
}

/** The child, put there when it is missing. */
export function childOf(set: FieldSet, element: string): FieldSet {
  let child = set.children.get(element);
  if (child === undefined) {
    child = emptySet();
    set.children.set(element, child);
  }
  return child;
}

export function unionOf(sets: readonly FieldSet[]): FieldSet {
  const result = emptySet();
  const add = (into: FieldSet, from: FieldSet) => {
    if (from.isMember) into.isMember = true;
    for (const [element, child] of from.children) add(childOf(into, element), child);
  };
  for (const set of sets) add(result, set);
  return result;
}

/** What is in `a` and not in `b`. */
export function difference(a: FieldSet, b: FieldSet | undefined): FieldSet {
  const result = emptySet();
  result.isMember = a.isMember && b?.isMember !== true;
  for (const [element, child] of a.children) {
    const rest = difference(child, b?.children.get(element));
    if (!isEmptySet(rest)) result.children.set(element, rest);
  }
  return result;
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result = emptySet();
  result.isMember = a.isMember && b.isMember;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined) continue;
    const both = intersection(child, other);
    if (!isEmptySet(both)) result.children.set(element, both);
  }
  return result;
}

/** `.spec.template.spec.containers[name="web"].image`, one a member, as conflicts print them. */
export function printPaths(set: FieldSet): readonly string[] {
  const paths: string[] = [];
  const visit = (node: FieldSet, path: string) => {
    if (node.isMember) paths.push(path);
    for (const [element, child] of node.children) visit(child, path + printElement(element));
  };
  visit(set, "");
  return paths.sort();
}

function printElement(element: string): string {
  const content = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${content}`;
    case "k": {
      const keys: unknown = JSON.parse(content);
      const pairs = isJsonObject(keys) ? Object.entries(keys).map(([k, v]) => `${k}=${JSON.stringify(v)}`) : [];
      return `[${pairs.join(",")}]`;
    }
    case "v":
      return `[=${content}]`;
    default:
      return `[${content}]`;
  }
}

export function encodeFieldsV1(set: FieldSet): JsonObject {
  const result: JsonObject = {};
  if (set.isMember && set.children.size > 0) result["."] = {};
  for (const element of [...set.children.keys()].sort()) {
    const child = set.children.get(element);
    if (child !== undefined && !isEmptySet(child)) result[element] = encodeFieldsV1(child);
  }
  return result;
}

export function decodeFieldsV1(fields: unknown): FieldSet {
  const root = decodeNode(fields);
  // The empty object at the root is the empty set; anywhere else it is a leaf.
  if (isJsonObject(fields) && Object.keys(fields).length === 0) root.isMember = false;
  return root;
}

function decodeNode(fields: unknown): FieldSet {
  const set = emptySet();
  if (!isJsonObject(fields)) return set;
  const keys = Object.keys(fields);
  set.isMember = keys.length === 0 || Object.hasOwn(fields, ".");
  for (const key of keys) if (/^[fkvi]:/.test(key)) set.children.set(key, decodeNode(fields[key]));
  return set;
}
