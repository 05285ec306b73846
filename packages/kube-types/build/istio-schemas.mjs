// The declaration files of @kubernetes-models/istio, read as text, to JSON schemas. All versions of an Istio kind have the same schema;
// where the files differ in more than the version, each version gets its own definition.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseInterface } from "./declaration-parser.mjs";
import { addNewerFields } from "./newer-fields.mjs";

const GROUPS = ["networking", "security", "telemetry", "extensions"];

/** The only Istio numbers with a fraction; every other number is an integer. */
const FRACTIONS = new Set(["value", "percent", "randomSamplingPercentage", "aggression", "minimumPercent"]);
const INTEGER_PERCENT = new Set(["delay"]);

export function istioSchemas(root) {
  const definitions = {};
  const kinds = [];
  for (const name of GROUPS) {
    const group = `${name}.istio.io`;
    const seen = new Map();
    for (const version of readdirSync(join(root, group))
      .filter((entry) => /^v\d/.test(entry))
      .sort(byAge)) {
      for (const file of readdirSync(join(root, group, version))) {
        const kind = /^([A-Z]\w+)\.d\.ts$/.exec(file)?.[1];
        if (kind === undefined || !existsSync(join(root, group, version, file))) continue;
        const source = interfaceText(readFileSync(join(root, group, version, file), "utf8"), kind);
        const comparable = source.replaceAll(`${group}/${version}`, group);
        let definition = seen.get(`${kind} ${comparable}`);
        if (definition === undefined) {
          definition = `istio.${name}.${version}.${kind}`;
          seen.set(`${kind} ${comparable}`, definition);
          definitions[definition] = rootSchema(parseInterface(source));
          addNewerFields(kind, definitions[definition]);
        }
        kinds.push([group, version, kind, definition]);
      }
    }
  }
  return { definitions, kinds };
}

/** v1 first: its name is the one that a shared definition keeps. */
function byAge(a, b) {
  return a.length - b.length || (a < b ? -1 : 1);
}

function interfaceText(source, kind) {
  const start = source.indexOf(`export interface I${kind} `);
  const end = source.indexOf("\nexport declare class");
  if (start === -1 || end === -1) throw new Error(`declaration of ${kind} has an unknown form`);
  return source.slice(start, end);
}

function rootSchema(schema) {
  const { properties, required, ...rest } = fixNumbers(schema, "");
  const { spec, status } = properties;
  const description = spec?.description;
  return {
    ...rest,
    ...(description === undefined ? {} : { description }),
    properties: {
      apiVersion: { type: "string", description: "The group and version of this kind." },
      kind: { type: "string", description: "The kind of this object." },
      metadata: { $ref: "#/components/schemas/v1.ObjectMeta" },
      ...(spec === undefined ? {} : { spec }),
      ...(status === undefined ? {} : { status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }),
    },
    ...(required?.includes("spec") ? { required: ["spec"] } : {}),
  };
}

function fixNumbers(schema, name, parent = "") {
  if (schema.type === "number") {
    const isFraction = FRACTIONS.has(name) && !(name === "percent" && INTEGER_PERCENT.has(parent));
    return { ...schema, type: isFraction ? "number" : "integer" };
  }
  if (schema.properties !== undefined) {
    const properties = {};
    for (const [key, value] of Object.entries(schema.properties)) properties[key] = fixNumbers(value, key, name);
    return { ...schema, properties };
  }
  if (schema.items !== undefined) return { ...schema, items: fixNumbers(schema.items, name, parent) };
  if (schema.additionalProperties !== undefined) {
    return { ...schema, additionalProperties: fixNumbers(schema.additionalProperties, "", name) };
  }
  return schema;
}
