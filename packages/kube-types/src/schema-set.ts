/**
 * The JSON schemas as the build wrote them, and the way from an apiVersion and kind to one. Only the keywords that the build uses exist here.
 */
import { MeshError } from "@argyle/core";

export interface JsonSchema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean" | undefined;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-patch-merge-key"?: string;
  readonly "x-kubernetes-patch-strategy"?: string;
  readonly "x-kubernetes-list-type"?: "map" | "set" | "atomic";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
}

export interface KindEntry {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly definition: string;
}

export interface SchemaSet {
  readonly definitions: Readonly<Record<string, JsonSchema>>;
  readonly kinds: readonly KindEntry[];
  definitionOf(apiVersion: string, kind: string): string | undefined;
  /** Follows a $ref; the name is that of the definition, undefined for an inline schema. */
  resolve(schema: JsonSchema): { readonly schema: JsonSchema; readonly name: string | undefined };
}

const REF_PREFIX = "#/components/schemas/";

export function decodeSchemaAsset(asset: unknown): SchemaSet {
  if (!isSchemaAsset(asset)) {
    throw new MeshError("schemas.json has an unknown form", {
      code: "kube-types.schemas.unreadable",
      advice: "build the assets again: npm run build",
    });
  }
  const { definitions } = asset;
  const kinds = asset.kinds.map(([group, version, kind, definition]) => ({ group, version, kind, definition }));
  const byKind = new Map(
    kinds.map((k) => [`${k.group === "" ? k.version : `${k.group}/${k.version}`} ${k.kind}`, k.definition]),
  );
  return {
    definitions,
    kinds,
    definitionOf: (apiVersion, kind) => byKind.get(`${apiVersion} ${kind}`),
    resolve(schema) {
      if (schema.$ref === undefined) return { schema, name: undefined };
      const name = schema.$ref.slice(REF_PREFIX.length);
      const target = definitions[name];
      if (target === undefined) {
        throw new MeshError(`schema ${name} is missing`, { code: "kube-types.schemas.unreadable" });
      }
      return { schema: target, name };
    },
  };
}

interface SchemaAsset {
  readonly definitions: Readonly<Record<string, JsonSchema>>;
  readonly kinds: readonly (readonly [string, string, string, string])[];
}

function isSchemaAsset(asset: unknown): asset is SchemaAsset {
  if (typeof asset !== "object" || asset === null || !("definitions" in asset) || !("kinds" in asset)) return false;
  return typeof asset.definitions === "object" && asset.definitions !== null && Array.isArray(asset.kinds);
}
