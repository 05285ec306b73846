/**
 * How the fields of an object are merged, found by walking with field names: the API server's strategic merge patch and server-side
 * apply follow an object and its shape in step. Sources: Kubernetes documentation, "Server-Side Apply", merge strategy; "Strategic merge patch".
 */
import type { JsonSchema, SchemaSet } from "./schema-set.ts";

export type FieldType = "object" | "map" | "array" | "string" | "integer" | "number" | "boolean" | "any";

export interface FieldShape {
  readonly type: FieldType;
  /** Strategic merge patch: the member that identifies an entry of this list. Undefined with strategy `merge`: a list of scalars that is united. */
  readonly mergeKey: string | undefined;
  /** Objects and maps always merge; a list is replaced unless it says otherwise. */
  readonly strategy: "merge" | "replace";
  /** `$retainKeys` applies: members that the patch does not name are dropped. */
  readonly retainKeys: boolean;
  /** Server-side apply: who owns list entries. Lists without a declaration are atomic. */
  readonly listType: "map" | "set" | "atomic";
  readonly listKeys: readonly string[];
  /** Server-side apply owns this object or map as a whole. */
  readonly isAtomic: boolean;
  readonly defaultValue: unknown;
  /** The shape of a property, or of any value of a map; undefined for a field that is not known. */
  child(name: string): FieldShape | undefined;
  /** The shape of an entry of a list. */
  item(): FieldShape | undefined;
}

const cache = new WeakMap<JsonSchema, FieldShape>();

export function fieldShape(set: SchemaSet, declared: JsonSchema): FieldShape {
  const known = cache.get(declared);
  if (known !== undefined) return known;
  const { schema } = set.resolve(declared);
  const strategies = (declared["x-kubernetes-patch-strategy"] ?? "").split(",");
  const shape: FieldShape = {
    type: typeOf(schema),
    mergeKey: declared["x-kubernetes-patch-merge-key"],
    strategy: schema.type !== "array" || strategies.includes("merge") ? "merge" : "replace",
    retainKeys: strategies.includes("retainKeys"),
    listType: declared["x-kubernetes-list-type"] ?? "atomic",
    listKeys: declared["x-kubernetes-list-map-keys"] ?? [],
    isAtomic: (declared["x-kubernetes-map-type"] ?? schema["x-kubernetes-map-type"]) === "atomic",
    defaultValue: declared.default,
    child(name) {
      const property = schema.properties?.[name] ?? schema.additionalProperties;
      if (property !== undefined) return fieldShape(set, property);
      return schema["x-kubernetes-preserve-unknown-fields"] === true ? ANY : undefined;
    },
    item: () => (schema.items === undefined ? undefined : fieldShape(set, schema.items)),
  };
  cache.set(declared, shape);
  return shape;
}

function typeOf(schema: JsonSchema): FieldType {
  if (schema["x-kubernetes-preserve-unknown-fields"] === true && schema.properties === undefined) return "any";
  if (schema.type === "object") return schema.additionalProperties === undefined ? "object" : "map";
  return schema.type ?? "any";
}

const ANY: FieldShape = {
  type: "any",
  mergeKey: undefined,
  strategy: "merge",
  retainKeys: false,
  listType: "atomic",
  listKeys: [],
  isAtomic: false,
  defaultValue: undefined,
  child: () => ANY,
  item: () => ANY,
};
