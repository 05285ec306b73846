/**
 * Walks an object along its schema: unknown fields, wrong types, and the object without its unknown fields (untouched parts are shared).
 * Built-in kinds fail as Go's JSON decoder does (DecodeFailure, 400; required-ness is the validation's matter, because an absent member of
 * a Go struct is its zero value). Custom kinds fail as a CustomResourceDefinition's schema does (422). null counts as absent.
 * Source: Kubernetes API concepts, "Field validation"; "Custom resources", structural schemas.
 */
import { type FieldProblem, invalid, notSupported, required, typeInvalid } from "./field-problem.ts";
import type { JsonSchema, SchemaSet } from "./schema-set.ts";

export interface CheckReport {
  /** `spec.replicass`, `spec.template.spec.containers[0].imagee`. */
  readonly unknownFields: readonly string[];
  readonly problems: readonly FieldProblem[];
  readonly pruned: unknown;
}

export function checkObject(set: SchemaSet, apiVersion: string, kind: string, object: unknown): CheckReport {
  const name = set.definitionOf(apiVersion, kind);
  const definition = name === undefined ? undefined : set.definitions[name];
  if (name === undefined || definition === undefined) {
    const message = `no kind "${kind}" is registered for version "${apiVersion}"`;
    return { unknownFields: [], problems: [{ path: "", reason: "DecodeFailure", message }], pruned: object };
  }
  const walk: Walk = { set, unknownFields: [], problems: [] };
  const pruned = checkValue(walk, definition, object, { path: "", goPath: "", type: typeName(name) });
  return { unknownFields: walk.unknownFields, problems: walk.problems, pruned };
}

interface Walk {
  readonly set: SchemaSet;
  readonly unknownFields: string[];
  readonly problems: FieldProblem[];
}

interface Place {
  readonly path: string;
  /** The path without indices, as Go's decoder prints it. */
  readonly goPath: string;
  /** The Go struct that holds the field; undefined inside a custom resource, where schema wording applies. */
  readonly type: string | undefined;
}

function checkValue(walk: Walk, declared: JsonSchema, value: unknown, place: Place): unknown {
  if (value === null || value === undefined) return value;
  const { schema, name } = walk.set.resolve(declared);
  if (schema["x-kubernetes-int-or-string"] === true) return checkIntOrString(walk, schema, value, place);
  switch (schema.type) {
    case "object":
      return checkStruct(walk, schema, name, value, place);
    case "array":
      if (!Array.isArray(value)) return wrongType(walk, schema, value, place);
      return checkItems(walk, schema.items ?? {}, value, place);
    case "string":
      if (typeof value !== "string") return wrongType(walk, schema, value, place);
      return checkText(walk, schema, value, place);
    case "boolean":
      return typeof value === "boolean" ? value : wrongType(walk, schema, value, place);
    case "integer":
      return typeof value === "number" && Number.isInteger(value) ? value : wrongType(walk, schema, value, place);
    case "number":
      return typeof value === "number" ? value : wrongType(walk, schema, value, place);
    case undefined:
      return value;
  }
}

function checkStruct(walk: Walk, schema: JsonSchema, name: string | undefined, value: unknown, place: Place): unknown {
  const keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (!isRecord(value)) return keepsUnknown && place.type !== undefined ? value : wrongType(walk, schema, value, place);
  const { properties, additionalProperties } = schema;
  if (properties === undefined && additionalProperties === undefined) return value;
  const type = structName(name, place);
  let pruned: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    const member = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
    const path = place.path === "" ? key : `${place.path}.${key}`;
    if (member === undefined) {
      if (keepsUnknown) continue;
      walk.unknownFields.push(path);
      pruned ??= { ...value };
      delete pruned[key];
      continue;
    }
    const isMapValue = member === additionalProperties;
    const goPath = isMapValue ? place.goPath : place.goPath === "" ? key : `${place.goPath}.${key}`;
    const inner = { path, goPath, type: isMapValue ? place.type : type };
    const checked = checkValue(walk, member, value[key], inner);
    if (checked !== value[key]) {
      pruned ??= { ...value };
      pruned[key] = checked;
    }
  }
  if (type === undefined) checkPresence(walk, schema, value, place.path);
  return pruned ?? value;
}

/** What a CustomResourceDefinition's schema says about members together: required, oneOf, allOf. */
function checkPresence(walk: Walk, schema: JsonSchema, value: Readonly<Record<string, unknown>>, path: string): void {
  const isSet = (name: string) => value[name] !== undefined && value[name] !== null;
  for (const name of schema.required ?? []) {
    if (!isSet(name)) walk.problems.push(required(path === "" ? name : `${path}.${name}`));
  }
  for (const rule of [schema, ...(schema.allOf ?? [])]) {
    if (rule.oneOf === undefined) continue;
    const valid = rule.oneOf.filter((option) => holds(option, isSet)).length;
    if (valid === 1) continue;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    walk.problems.push(invalid(path, "", `"${path}" must validate one and only one schema (oneOf). ${found}`));
  }
}

function holds(rule: JsonSchema, isSet: (name: string) => boolean): boolean {
  if (rule.required?.every(isSet) === false) return false;
  if (rule.anyOf?.some((option) => holds(option, isSet)) === false) return false;
  return rule.not === undefined || !holds(rule.not, isSet);
}

function checkItems(walk: Walk, items: JsonSchema, list: readonly unknown[], place: Place): unknown {
  let pruned: unknown[] | undefined;
  for (const [index, item] of list.entries()) {
    const checked = checkValue(walk, items, item, { ...place, path: `${place.path}[${index}]` });
    if (checked !== item) {
      pruned ??= [...list];
      pruned[index] = checked;
    }
  }
  return pruned ?? list;
}

function checkText(walk: Walk, schema: JsonSchema, value: string, place: Place): string {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    walk.problems.push(notSupported(place.path, value, schema.enum));
  } else if (schema.format === "byte") {
    const at = base64Fault(value);
    if (at !== undefined) fail(walk, place, `illegal base64 data at input byte ${at}`);
  } else if (schema.format === "date-time" && place.type !== undefined && !isDateTime(value)) {
    fail(walk, place, `parsing time "${value}" as "2006-01-02T15:04:05Z07:00": cannot parse "${value}" as "2006"`);
  }
  return value;
}

function checkIntOrString(walk: Walk, schema: JsonSchema, value: unknown, place: Place): unknown {
  if (schema.format === "quantity") {
    if (typeof value !== "string" && typeof value !== "number") return wrongType(walk, schema, value, place);
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$/.test(String(value))) {
      fail(walk, place, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    }
    return value;
  }
  if (typeof value === "string" || (typeof value === "number" && Number.isInteger(value))) return value;
  return wrongType(walk, schema, value, place);
}

function wrongType(walk: Walk, schema: JsonSchema, value: unknown, place: Place): unknown {
  const found = jsonType(value);
  if (place.type === undefined) {
    const wanted = schema.type ?? "integer or string";
    const shown = found === "bool" ? "boolean" : found === "number" && Number.isInteger(value) ? "integer" : found;
    walk.problems.push(typeInvalid(place.path, shown, wanted));
  } else {
    const number = found === "number" && schema.type === "integer" ? `number ${String(value)}` : found;
    const goType = goTypeOf(walk.set, schema);
    const message = `json: cannot unmarshal ${number} into Go struct field ${place.type}.${place.goPath} of type ${goType}`;
    walk.problems.push({ path: place.path, reason: "DecodeFailure", message });
  }
  return value;
}

function fail(walk: Walk, place: Place, message: string): void {
  walk.problems.push(
    place.type === undefined
      ? invalid(place.path, "", message)
      : { path: place.path, reason: "DecodeFailure", message },
  );
}

/** A definition of our own naming is a Go struct; custom kinds (and what is inline in them) have none. */
function structName(definition: string | undefined, place: Place): string | undefined {
  if (definition === undefined) return place.type;
  return typeName(definition);
}

function typeName(definition: string): string | undefined {
  return definition.startsWith("istio.") ? undefined : definition.slice(definition.lastIndexOf(".") + 1);
}

function goTypeOf(set: SchemaSet, declared: JsonSchema): string {
  const { schema, name } = set.resolve(declared);
  if (name !== undefined) return name.split(".").slice(-2).join(".");
  switch (schema.type) {
    case "array":
      return `[]${goTypeOf(set, schema.items ?? {})}`;
    case "object":
      return schema.additionalProperties === undefined
        ? "map[string]interface {}"
        : `map[string]${goTypeOf(set, schema.additionalProperties)}`;
    case "boolean":
      return "bool";
    case "integer":
      return schema.format ?? "int64";
    case "number":
      return "float64";
    case "string":
      return schema.format === "byte" ? "[]uint8" : schema.format === "date-time" ? "v1.Time" : "string";
    case undefined:
      return schema.format === "quantity" ? "resource.Quantity" : "intstr.IntOrString";
  }
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDateTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text);
}

/** Where Go's base64 decoder stops, or undefined. Line breaks are skipped, as there. */
function base64Fault(text: string): number | undefined {
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(text);
  if (wrong !== null) return wrong.index;
  const plain = text.replace(/[\r\n]/g, "");
  if (plain.length % 4 !== 0) return plain.length - (plain.length % 4);
  const early = /=(?!=?$)/.exec(plain);
  return early === null ? undefined : early.index;
}
