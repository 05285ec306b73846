/**
 * JSON Merge Patch, RFC 7386: null removes, objects merge, everything else replaces. Pure; shares with the
 * target what the patch does not name. */
import { cloneJson, isJsonObject, type JsonObject, setOwn } from "../json.ts";

export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return cloneJson(patch);
  const result: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete result[key];
    else setOwn(result, key, applyMergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}
