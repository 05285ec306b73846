// @kubernetes/client-node's generated models to JSON schemas. `attributeTypeMap` in the .js is JSON text: name, type, format;
// descriptions and which members are required stand in the .d.ts. Definition names are `v1.Deployment`: kubectl explain prints what follows the last dot.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULTS, EMPTY_DEFINITIONS, KINDS, LISTS, MAPS, QUANTITIES, UNCHECKED } from "./hand-tables.mjs";

export function kubernetesSchemas(models) {
  const definitions = { ...EMPTY_DEFINITIONS };
  const kinds = [];
  const queue = [];
  const nameOf = (model) => {
    const name = definitionName(model);
    if (!(name in definitions)) {
      definitions[name] = undefined;
      queue.push(model);
    }
    return name;
  };
  for (const [group, version, kind, model] of KINDS) {
    kinds.push([group, version, kind, model.includes(".") ? model : nameOf(model)]);
  }
  for (let model = queue.shift(); model !== undefined; model = queue.shift()) {
    const name = definitionName(model);
    definitions[name] = modelSchema(models, model, name, nameOf);
  }
  return { definitions, kinds };
}

/** `V1Pod` → `v1.Pod`, `AuthenticationV1TokenRequest` → `authentication.v1.TokenRequest`. */
export function definitionName(model) {
  const match = /^([A-Z][a-z]*?)??(V\d+(?:(?:alpha|beta)\d+)?)([A-Z].*)$/.exec(model);
  if (match === null) throw new Error(`model ${model} has no version in its name`);
  const [, group, version, kind] = match;
  return [group, version, kind]
    .filter((part) => part !== undefined && part !== "")
    .map(lowerFirstBut(kind))
    .join(".");
}

function lowerFirstBut(kind) {
  return (part) => (part === kind ? part : part.toLowerCase());
}

function modelSchema(models, model, name, nameOf) {
  const source = readFileSync(join(models, `${model}.js`), "utf8");
  const map = /\.attributeTypeMap = (\[[\s\S]*?\n\]|\[\]);/.exec(source);
  if (map === null) throw new Error(`model ${model} has no attributeTypeMap`);
  const members = declaredMembers(readFileSync(join(models, `${model}.d.ts`), "utf8"));
  const description = /\/\*\*\n\* ([\s\S]*?)\n\*\/\nexport class/.exec(source);
  const properties = {};
  const required = [];
  const short = name.slice(name.lastIndexOf(".") + 1);
  for (const { baseName, type, format } of JSON.parse(map[1])) {
    const member = members.get(baseName);
    const key = `${short}.${baseName}`;
    properties[baseName] = {
      ...(member?.description === undefined ? {} : { description: member.description }),
      ...(QUANTITIES.has(baseName) ? quantityType(type) : typeSchema(type, format, nameOf)),
      ...LISTS[key],
      ...(key in DEFAULTS ? { default: DEFAULTS[key] } : {}),
    };
    if (UNCHECKED.has(key)) Object.assign(properties[baseName], { "x-kubernetes-preserve-unknown-fields": true });
    if (member?.required === true) required.push(baseName);
  }
  return {
    ...(description === null ? {} : { description: unquote(description[1]) }),
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...MAPS[short],
  };
}

function typeSchema(type, format, nameOf) {
  const array = /^Array<(.*)>$/.exec(type);
  if (array !== null) return { type: "array", items: typeSchema(array[1], format, nameOf) };
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map !== null) return { type: "object", additionalProperties: typeSchema(map[1], format, nameOf) };
  switch (type) {
    case "string":
      return format === "" ? { type: "string" } : { type: "string", format };
    case "boolean":
      return { type: "boolean" };
    case "number":
      return format === "double"
        ? { type: "number", format }
        : { type: "integer", ...(format === "" ? {} : { format }) };
    case "Date":
    case "V1MicroTime":
      return { type: "string", format: "date-time" };
    case "IntOrString":
      return { "x-kubernetes-int-or-string": true, format: "int-or-string" };
    case "any":
      return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    default:
      return { $ref: `#/components/schemas/${nameOf(type)}` };
  }
}

function quantityType(type) {
  const quantity = { "x-kubernetes-int-or-string": true, format: "quantity" };
  return type === "string" ? quantity : { type: "object", additionalProperties: quantity };
}

function declaredMembers(source) {
  const members = new Map();
  const body = source.slice(source.indexOf("export declare class"));
  for (const [, description, name, optional] of body.matchAll(
    /(?:\/\*\*\n {4}\* ([^\n]*(?:\n {4}\*(?!\/)[^\n]*)*)\n {4}\*\/\n {4})?'([^']+)'(\?)?: /g,
  )) {
    members.set(name, {
      required: optional === undefined,
      description: description === undefined ? undefined : unquote(description.replace(/\n {4}\* ?/g, "\n")),
    });
  }
  return members;
}

function unquote(text) {
  return text.replace(/\\(['"`\\])/g, "$1").replace(/\*_\//g, "*/");
}
