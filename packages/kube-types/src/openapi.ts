/**
 * OpenAPI v3 documents, one a group version, made on first demand and kept as text. kubectl reads three things in them: that a kind's PATCH
 * takes `fieldValidation` (then it leaves validation to the server), which patch types the PATCH lists (strategic for built-ins only), and
 * the schemas for `explain`. The hash is of the content, so kubectl's disk cache stays valid until something really changes.
 * Source: Kubernetes documentation, "The Kubernetes API", OpenAPI V3.
 */
import { KUBERNETES_VERSION } from "@argyle/core";
import { contentHash } from "./content-hash.ts";
import { RESOURCES, REVIEWS, type Resource } from "./registry.ts";
import type { JsonSchema, SchemaSet } from "./schema-set.ts";

export interface OpenApiIndex {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
}

export interface OpenApiDocument {
  readonly json: string;
  readonly hash: string;
}

export interface OpenApi {
  index(): OpenApiIndex;
  document(groupVersionPath: string): OpenApiDocument | undefined;
}

export function createOpenApi(set: SchemaSet): OpenApi {
  const documents = new Map<string, OpenApiDocument>();
  const paths = groupVersionPaths();
  const document = (path: string): OpenApiDocument | undefined => {
    const known = documents.get(path);
    if (known !== undefined) return known;
    const groupVersion = paths.get(path);
    if (groupVersion === undefined) return undefined;
    const json = JSON.stringify(buildDocument(set, groupVersion));
    const made = { json, hash: contentHash(json) };
    documents.set(path, made);
    return made;
  };
  return {
    index: () => ({
      paths: Object.fromEntries(
        [...paths.keys()].map((path) => [
          path,
          { serverRelativeURL: `/openapi/v3/${path}?hash=${document(path)?.hash ?? ""}` },
        ]),
      ),
    }),
    document,
  };
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

function groupVersionPaths(): ReadonlyMap<string, GroupVersion> {
  const found = new Map<string, GroupVersion>();
  for (const { group, versions } of [...RESOURCES, ...REVIEWS]) {
    for (const version of versions) {
      found.set(group === "" ? `api/${version}` : `apis/${group}/${version}`, { group, version });
    }
  }
  return found;
}

function buildDocument(set: SchemaSet, { group, version }: GroupVersion): unknown {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, unknown> = {};
  const serves = (resource: Resource) => resource.group === group && resource.versions.includes(version);
  for (const resource of RESOURCES.filter(serves)) Object.assign(paths, resourcePaths(set, resource, version));
  for (const review of REVIEWS.filter(serves)) Object.assign(paths, reviewPaths(set, review, version));
  for (const entry of set.kinds) {
    if (entry.group !== group || entry.version !== version) continue;
    const definition = set.definitions[entry.definition];
    if (definition === undefined) continue;
    schemas[entry.definition] = { ...definition, "x-kubernetes-group-version-kind": [gvk(group, version, entry.kind)] };
    collectReferences(set, definition, schemas);
  }
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: KUBERNETES_VERSION.gitVersion },
    paths,
    components: { schemas },
  };
}

function collectReferences(set: SchemaSet, schema: JsonSchema, into: Record<string, unknown>): void {
  if (schema.$ref !== undefined) {
    const { name, schema: target } = set.resolve(schema);
    if (name === undefined || name in into) return;
    into[name] = target;
    collectReferences(set, target, into);
    return;
  }
  for (const property of Object.values(schema.properties ?? {})) collectReferences(set, property, into);
  if (schema.additionalProperties !== undefined) collectReferences(set, schema.additionalProperties, into);
  if (schema.items !== undefined) collectReferences(set, schema.items, into);
}

function gvk(group: string, version: string, kind: string): Readonly<Record<string, string>> {
  return { group, kind, version };
}

const query = (name: string, type: string, description: string) => ({
  name,
  in: "query",
  description,
  schema: { type, uniqueItems: true },
});

const WRITE_PARAMETERS = [
  query("dryRun", "string", "All: nothing is stored, the answer is what would be."),
  query("fieldManager", "string", "The name of who makes this change."),
  query("fieldValidation", "string", "What to do with unknown fields: Ignore, Warn or Strict."),
];
const FORCE = query("force", "boolean", "Take over fields that another manager owns (apply only).");
const PATCH_TYPES = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const STRATEGIC = "application/strategic-merge-patch+json";

function resourcePaths(set: SchemaSet, resource: Resource, version: string): Record<string, unknown> {
  const root = resource.group === "" ? `/api/${version}` : `/apis/${resource.group}/${version}`;
  const kind = gvk(resource.group, version, resource.kind);
  const schema = schemaOf(set, resource, version);
  const operation = (action: string, more: object = {}) => ({
    operationId: `${action}${resource.kind}`,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": kind,
    responses: { "200": { description: "OK", content: { "application/json": { schema } } } },
    ...more,
  });
  const body = { requestBody: { content: { "*/*": { schema } }, required: true } };
  const patchTypes = resource.custom === true ? PATCH_TYPES : [...PATCH_TYPES, STRATEGIC];
  const patchBody = {
    requestBody: { content: Object.fromEntries(patchTypes.map((type) => [type, { schema: { type: "object" } }])) },
  };
  const item = {
    get: operation("get"),
    put: operation("put", { parameters: WRITE_PARAMETERS, ...body }),
    patch: operation("patch", { parameters: [...WRITE_PARAMETERS, FORCE], ...patchBody }),
  };
  const name = { name: "name", in: "path", required: true, schema: { type: "string" } };
  const namespace = { name: "namespace", in: "path", required: true, schema: { type: "string" } };
  const scope = resource.namespaced ? "/namespaces/{namespace}" : "";
  const collection = `${root}${scope}/${resource.plural}`;
  const scoped = resource.namespaced ? [namespace] : [];
  return {
    ...(resource.namespaced ? { [`${root}/${resource.plural}`]: { get: operation("list") } } : {}),
    [collection]: {
      get: operation("list"),
      post: operation("post", { parameters: WRITE_PARAMETERS, ...body }),
      delete: operation("deletecollection"),
      parameters: scoped,
    },
    [`${collection}/{name}`]: { ...item, delete: operation("delete"), parameters: [name, ...scoped] },
    ...(resource.subresources?.includes("status") === true
      ? { [`${collection}/{name}/status`]: { ...item, parameters: [name, ...scoped] } }
      : {}),
  };
}

function reviewPaths(set: SchemaSet, review: Resource, version: string): Record<string, unknown> {
  const scope = review.namespaced ? "/namespaces/{namespace}" : "";
  const schema = schemaOf(set, review, version);
  return {
    [`/apis/${review.group}/${version}${scope}/${review.plural}`]: {
      post: {
        operationId: `create${review.kind}`,
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": gvk(review.group, version, review.kind),
        parameters: WRITE_PARAMETERS,
        requestBody: { content: { "*/*": { schema } }, required: true },
        responses: { "201": { description: "Created", content: { "application/json": { schema } } } },
      },
    },
  };
}

function schemaOf(set: SchemaSet, resource: Resource, version: string): JsonSchema {
  const apiVersion = resource.group === "" ? version : `${resource.group}/${version}`;
  const name = set.definitionOf(apiVersion, resource.kind);
  return name === undefined ? { type: "object" } : { $ref: `#/components/schemas/${name}` };
}
