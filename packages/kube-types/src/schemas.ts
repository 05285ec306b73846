/**
 * The schemas of every served kind, from dist/assets/schemas.json (made by build-assets.mjs): strict checking and pruning, merge keys,
 * and the OpenAPI v3 documents that kubectl reads. Nothing is prepared before it is asked for.
 */
import type { FieldShape } from "./field-shape.ts";
import { fieldShape } from "./field-shape.ts";
import { createOpenApi, type OpenApiDocument, type OpenApiIndex } from "./openapi.ts";
import { type CheckReport, checkObject } from "./schema-check.ts";
import { decodeSchemaAsset, type SchemaSet } from "./schema-set.ts";

export interface Schemas {
  /** Unknown fields, wrong types, and the object without its unknown fields. */
  check(apiVersion: string, kind: string, object: unknown): CheckReport;
  /** The root of the walk that a strategic merge patch or server-side apply takes; undefined for a kind without a schema. */
  fieldAt(apiVersion: string, kind: string): FieldShape | undefined;
  /** The body of /openapi/v3. */
  openApiIndex(): OpenApiIndex;
  /** The body of /openapi/v3/PATH for `api/v1` or `apis/GROUP/VERSION`. */
  openApiDocument(groupVersionPath: string): OpenApiDocument | undefined;
}

/** `asset` is the parsed schemas.json; throws MeshError when it is not that. */
export function createSchemas(asset: unknown): Schemas {
  const set: SchemaSet = decodeSchemaAsset(asset);
  const openApi = createOpenApi(set);
  return {
    check: (apiVersion, kind, object) => checkObject(set, apiVersion, kind, object),
    fieldAt(apiVersion, kind) {
      const name = set.definitionOf(apiVersion, kind);
      return name === undefined ? undefined : fieldShape(set, { $ref: `${REF}${name}` });
    },
    openApiIndex: () => openApi.index(),
    openApiDocument: (path) => openApi.document(path),
  };
}

const REF = "#/components/schemas/";
