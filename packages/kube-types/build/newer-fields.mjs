// What Istio's API has gained since the declarations of @kubernetes-models/istio 3.0.1: kind, path to the property (through lists), schema.
const TEXT = { type: "string" };

const NEWER_FIELDS = [
  [
    "VirtualService",
    ["spec", "http", "redirect", "prefixRewrite"],
    { ...TEXT, description: "On a redirect, replace the prefix that matched by this." },
  ],
];

const NEWER_VALUES = [["EnvoyFilter", ["spec", "configPatches", "patch", "operation"], "MERGE_AND_REPLACE_LIST"]];

/** Adds to the schema of one kind, in place; throws when the path is not there any more. */
export function addNewerFields(kind, schema) {
  for (const [owner, path, added] of NEWER_FIELDS) {
    if (owner !== kind) continue;
    const { properties } = walk(kind, schema, path.slice(0, -1));
    properties[path.at(-1)] ??= added;
  }
  for (const [owner, path, value] of NEWER_VALUES) {
    if (owner !== kind) continue;
    const values = walk(kind, schema, path).enum;
    if (!values.includes(value)) values.push(value);
  }
}

function walk(kind, schema, path) {
  let at = schema;
  for (const name of path) {
    at = (at.items ?? at).properties?.[name];
    if (at === undefined) throw new Error(`${kind} has no field ${path.join(".")}`);
  }
  return at.items ?? at;
}
