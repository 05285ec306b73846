/**
 * Strategic merge patch: a merge patch that knows which lists are merged by key, and its directives.
 *   $patch: replace | delete | merge     on an object, a list entry, or a lone list entry
 *   $deleteFromPrimitiveList/NAME        values to take out of a list of scalars
 *   $setElementOrder/NAME                the order of the merged list
 *   $retainKeys                          members to keep, all others go (a strategy's union)
 * Source: Kubernetes community document "Strategic Merge Patch"; the schema says which list has which key.
 */
import type { FieldShape } from "@argyle/kube-types";
import { cloneJson, equalJson, isJsonObject, type JsonObject, listOf, setOwn } from "../json.ts";
import { badRequest } from "../status.ts";

const SET_ORDER = "$setElementOrder/";
const DELETE_FROM = "$deleteFromPrimitiveList/";

export function applyStrategicPatch(target: JsonObject, patch: JsonObject, shape: FieldShape | undefined): JsonObject {
  return mergeObject(target, patch, shape);
}

function mergeObject(target: JsonObject, patch: JsonObject, shape: FieldShape | undefined): JsonObject {
  if (patch.$patch === "replace") return withoutDirectives(patch);
  if (patch.$patch === "delete") return {};
  if (patch.$patch !== undefined && patch.$patch !== "merge")
    throw badRequest(`unknown $patch directive ${patch.$patch}`);
  const result = cloneJson(target);
  const retained = patch.$retainKeys;
  if (Array.isArray(retained)) {
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith("$")) continue;
    const value = patch[key];
    if (value === null) {
      delete result[key];
      continue;
    }
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    setOwn(result, key, mergeValue(before, value, shape?.child(key), patch[`${SET_ORDER}${key}`]));
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      const name = key.slice(DELETE_FROM.length);
      const gone = listOf(patch[key]);
      if (Array.isArray(result[name]))
        result[name] = listOf(result[name]).filter((v) => !gone.some((g) => equalJson(g, v)));
    } else if (key.startsWith(SET_ORDER)) {
      const name = key.slice(SET_ORDER.length);
      const list = result[name];
      // With a patch for the list itself the order was applied there.
      if (!Object.hasOwn(patch, name) && Array.isArray(list)) {
        result[name] = orderBy(list, listOf(patch[key]), shape?.child(name)?.mergeKey);
      }
    }
  }
  return result;
}

function mergeValue(before: unknown, patch: unknown, shape: FieldShape | undefined, order: unknown): unknown {
  if (isJsonObject(patch)) return mergeObject(isJsonObject(before) ? before : {}, patch, shape);
  if (!Array.isArray(patch)) return patch;
  if (shape?.strategy !== "merge") return withoutListDirectives(patch);
  const current = listOf(before);
  const isReplaced = patch.some((entry) => isJsonObject(entry) && entry.$patch === "replace" && isLone(entry));
  if (isReplaced)
    return withoutListDirectives(patch.filter((e) => !(isJsonObject(e) && e.$patch === "replace" && isLone(e))));
  const merged =
    shape.mergeKey === undefined ? mergeScalars(current, patch) : mergeEntries(current, patch, shape, shape.mergeKey);
  return Array.isArray(order) ? orderBy(merged, order, shape.mergeKey) : merged;
}

function mergeScalars(current: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const result = cloneJson([...current]);
  for (const value of patch) if (!result.some((v) => equalJson(v, value))) result.push(cloneJson(value));
  return result;
}

function mergeEntries(
  current: readonly unknown[],
  patch: readonly unknown[],
  shape: FieldShape,
  mergeKey: string,
): unknown[] {
  let result = cloneJson([...current]);
  for (const entry of patch) {
    if (!isJsonObject(entry))
      throw badRequest(`a list that is merged by "${mergeKey}" holds something that is no object`);
    const id = entry[mergeKey];
    if (id === undefined)
      throw badRequest(`map: ${JSON.stringify(entry)} does not contain declared merge key: ${mergeKey}`);
    const isSame = (other: unknown) => isJsonObject(other) && equalJson(other[mergeKey], id);
    if (entry.$patch === "delete") {
      result = result.filter((other) => !isSame(other));
      continue;
    }
    const index = result.findIndex(isSame);
    const found = result[index];
    if (index === -1) result.push(mergeObject({}, entry, shape.item()));
    else if (isJsonObject(found)) result[index] = mergeObject(found, entry, shape.item());
  }
  return result;
}

/**
 * Entries that the order names come in that order; those it does not name (another client's) stay where they stood relative to the
 * entry before them.
 */
function orderBy(list: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): unknown[] {
  const idOf = (value: unknown) => (mergeKey !== undefined && isJsonObject(value) ? value[mergeKey] : value);
  const rank = (value: unknown) => order.findIndex((wanted) => equalJson(idOf(wanted), idOf(value)));
  const named = list.filter((value) => rank(value) !== -1).sort((a, b) => rank(a) - rank(b));
  const result: unknown[] = [];
  let next = 0;
  for (const value of list) result.push(rank(value) === -1 ? value : named[next++]);
  return result;
}

function isLone(entry: JsonObject): boolean {
  return Object.keys(entry).length === 1;
}

function withoutDirectives(value: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (!key.startsWith("$") && value[key] !== null) setOwn(result, key, stripped(value[key]));
  }
  return result;
}

function withoutListDirectives(list: readonly unknown[]): unknown[] {
  return list.filter((entry) => !(isJsonObject(entry) && entry.$patch === "delete")).map(stripped);
}

function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return withoutListDirectives(value);
  return isJsonObject(value) ? withoutDirectives(value) : value;
}
