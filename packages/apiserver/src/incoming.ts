/**
 * From a body to an object that fits its schema: the kind must be the URL's, unknown fields are refused, warned about or ignored (and always
 * cut off), wrong types are refused, defaults are filled in. What comes out carries the preferred apiVersion, as everything in the store does.
 */
import { apiVersionOf, applyDefaults, type Resource, type Schemas } from "@argyle/kube-types";
import { cloneJson, ensureObject, isJsonObject, type JsonObject, objectOf, setOwn, textAt } from "./json.ts";
import { badRequest, invalid } from "./status.ts";
import type { WriteOptions } from "./write-options.ts";

/** Fills in a missing apiVersion and kind, refuses others than the URL's. */
export function requireKind(object: JsonObject, resource: Resource, version: string): void {
  const apiVersion = apiVersionOf(resource, version);
  object.apiVersion ??= apiVersion;
  object.kind ??= resource.kind;
  if (object.apiVersion === "") object.apiVersion = apiVersion;
  if (object.kind === "") object.kind = resource.kind;
  if (object.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  if (object.kind !== resource.kind) {
    throw badRequest(`the kind in the data (${object.kind}) does not match the expected kind (${resource.kind})`);
  }
  ensureObject(object, "metadata");
}

export interface FitRequest {
  readonly schemas: Schemas;
  readonly resource: Resource;
  readonly version: string;
  readonly options: Pick<WriteOptions, "fieldValidation">;
  readonly warnings: string[];
  /** The stored object: members that are its very own were checked when they were stored, and stay its own. */
  readonly stored?: JsonObject | undefined;
}

/** Checks against the schema of the URL's version and returns the pruned, defaulted object under the preferred version. */
export function fitToSchema(object: JsonObject, request: FitRequest): JsonObject {
  const { resource, version } = request;
  const apiVersion = apiVersionOf(resource, version);
  const { fresh, shared } = splitShared(object, request.stored);
  const checked = request.schemas.check(apiVersion, resource.kind, fresh);
  if (checked.unknownFields.length > 0) {
    const messages = checked.unknownFields.map((field) => `unknown field "${field}"`);
    if (request.options.fieldValidation === "Strict") {
      throw badRequest(
        `${resource.kind} in version "${version}" cannot be handled as a ${resource.kind}: strict decoding error: ${messages.join(", ")}`,
      );
    }
    if (request.options.fieldValidation === "Warn") request.warnings.push(...messages);
  }
  const undecodable = checked.problems.filter((p) => p.reason === "DecodeFailure");
  if (undecodable.length > 0) {
    const text = undecodable.map((p) => p.message).join(", ");
    throw badRequest(`${resource.kind} in version "${version}" cannot be handled as a ${resource.kind}: ${text}`);
  }
  if (checked.problems.length > 0) {
    throw invalid(resource.kind, resource.group, textAt(object, "metadata", "name") ?? "", checked.problems);
  }
  // Both steps share what they did not change with what they were given: the copy makes the result ours to edit.
  const fitted = { ...objectOf(checked.pruned), apiVersion: apiVersionOf(resource), kind: resource.kind };
  return Object.assign(cloneJson(applyDefaults(fitted)), shared);
}

/** Members other than metadata that are the stored object's own, and all others. */
function splitShared(
  object: JsonObject,
  stored: JsonObject | undefined,
): { readonly fresh: JsonObject; readonly shared: JsonObject } {
  if (stored === undefined) return { fresh: object, shared: {} };
  const fresh: JsonObject = {};
  const shared: JsonObject = {};
  for (const key of Object.keys(object)) {
    const isShared = isJsonObject(object[key]) && object[key] === stored[key] && key !== "metadata";
    setOwn(isShared ? shared : fresh, key, object[key]);
  }
  return { fresh, shared };
}
