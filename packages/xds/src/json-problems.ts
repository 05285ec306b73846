/**
 * Why a JSON object is no such message: every problem with the path of its field, `filter_chains[0].filters[1].typed_config.rds`.
 * Called only after a conversion failed, so it may be slow: each leaf is tried by itself.
 */
import type { Problem } from "@argyle/core";
import {
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromJson,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { typeNameOf } from "./type-urls.ts";

export function findProblems(files: FileRegistry, desc: DescMessage, json: JsonValue, path = ""): Problem[] {
  if (desc.typeName === "google.protobuf.Any") return findAnyProblems(files, json, path);
  if (desc.typeName.startsWith("google.protobuf.")) return tryWhole(files, desc, json, path);
  if (!isObject(json)) return [{ path, message: `must be an object (${desc.typeName}), not ${describe(json)}` }];
  const problems: Problem[] = [];
  const setInOneof = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    const at = path === "" ? key : `${path}.${key}`;
    const field = desc.fields.find((f) => f.name === key || f.jsonName === key);
    if (field === undefined) {
      problems.push({ path: at, message: `unknown field in ${desc.typeName}` });
      continue;
    }
    if (value === null) continue;
    if (field.oneof !== undefined) {
      const other = setInOneof.get(field.oneof.name);
      if (other !== undefined) problems.push({ path: at, message: `must not be set together with ${other}` });
      setInOneof.set(field.oneof.name, key);
    }
    problems.push(...findFieldProblems(files, desc, field, key, value, at));
  }
  return problems;
}

function findFieldProblems(
  files: FileRegistry,
  desc: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  path: string,
): Problem[] {
  if (field.fieldKind === "message") return findProblems(files, field.message, value, path);
  if (field.fieldKind === "list" && field.listKind === "message") {
    if (!Array.isArray(value)) return [{ path, message: `must be a list, not ${describe(value)}` }];
    const item = field.message;
    return value.flatMap((one, index) => findProblems(files, item, one, `${path}[${index}]`));
  }
  if (field.fieldKind === "map" && field.mapKind === "message") {
    if (!isObject(value)) return [{ path, message: `must be an object, not ${describe(value)}` }];
    const entry = field.message;
    return Object.entries(value).flatMap(([name, one]) => findProblems(files, entry, one, `${path}["${name}"]`));
  }
  return tryWhole(files, desc, { [key]: value }, path);
}

function findAnyProblems(files: FileRegistry, json: JsonValue, path: string): Problem[] {
  if (!isObject(json)) return [{ path, message: `must be an object with "@type", not ${describe(json)}` }];
  const { "@type": type, ...rest } = json;
  if (Object.keys(json).length === 0) return [];
  if (typeof type !== "string" || type === "") return [{ path, message: 'must have "@type"' }];
  const desc = files.getMessage(typeNameOf(type));
  if (desc !== undefined) {
    if (!desc.typeName.startsWith("google.protobuf.")) return findProblems(files, desc, rest, path);
    return tryWhole(files, desc, "value" in rest ? (rest.value ?? null) : rest, path);
  }
  const { value = "", ...others } = rest;
  if (Object.keys(others).length > 0 || typeof value !== "string") {
    return [{ path: `${path}["@type"]`, message: `unknown type ${type}: only {"@type", "value": base64} is possible` }];
  }
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(value) ? [] : [{ path: `${path}.value`, message: "must be base64" }];
}

function tryWhole(files: FileRegistry, desc: DescMessage, json: JsonValue, path: string): Problem[] {
  try {
    fromJson(desc, json, { registry: files });
    return [];
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [{ path, message: text.replace(/^cannot decode (field|message) \S+ from JSON: /, "") }];
  }
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function describe(json: JsonValue): string {
  if (json === null) return "null";
  return Array.isArray(json) ? "a list" : `a ${typeof json}`;
}
