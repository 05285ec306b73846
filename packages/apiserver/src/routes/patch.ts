/** PATCH: the four patch types by Content-Type. Custom kinds take no strategic merge patch, as on a real cluster. */
import { apiVersionOf, type KubeObject } from "@argyle/kube-types";
import { decodeYaml, mediaType, parseJson, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { isJsonObject, type JsonObject, objectOf } from "../json.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge.ts";
import { applyStrategicPatch } from "../patch/strategic.ts";
import { badRequest, unsupportedMediaType } from "../status.ts";
import { readWriteOptions } from "../write-options.ts";
import { applyObject } from "./apply.ts";
import { updateObject } from "./update-object.ts";

const TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

export async function patchObject(call: ResourceCall): Promise<Reply> {
  const { resource } = call.target;
  const type = mediaType(call.request.headers["content-type"]);
  const options = readWriteOptions(call.query, call.request.headers["user-agent"]);
  const bytes = await readBody(call.request);
  if (type === "application/apply-patch+yaml") {
    const { object, isNew } = await applyObject(call, decodeYaml(bytes), options);
    return { kind: "object", code: isNew ? 201 : 200, object, resource };
  }
  const compute = computeFor(call, type, parseBody(type, bytes));
  const object = await updateObject(call, { compute }, options);
  return { kind: "object", code: 200, object, resource };
}

/** kubectl sends YAML as merge patch only after converting it, so JSON it is. */
function parseBody(type: string, bytes: Buffer): unknown {
  if (!TYPES.includes(type)) throw unsupportedMediaType(type, TYPES);
  return parseJson(bytes);
}

/** How the patch changes any JSON object; also for the Scale subresource. */
export function patchFunction(call: ResourceCall, type: string, patch: unknown): (current: JsonObject) => unknown {
  const { resource, version } = call.target;
  switch (type) {
    case "application/json-patch+json":
      return (current) => applyJsonPatch(current, patch);
    case "application/merge-patch+json":
      if (!isJsonObject(patch)) throw badRequest("a merge patch must be an object");
      return (current) => applyMergePatch(current, patch);
    case "application/strategic-merge-patch+json": {
      if (resource.custom === true) {
        const accepted = TYPES.filter((t) => t !== "application/strategic-merge-patch+json");
        throw unsupportedMediaType(type, accepted);
      }
      if (!isJsonObject(patch)) throw badRequest("a strategic merge patch must be an object");
      const shape = call.context.schemas.fieldAt(apiVersionOf(resource, version), resource.kind);
      return (current) => applyStrategicPatch(current, patch, shape);
    }
    default:
      throw unsupportedMediaType(type, TYPES);
  }
}

function computeFor(call: ResourceCall, type: string, patch: unknown): (current: KubeObject) => JsonObject {
  const apply = patchFunction(call, type, patch);
  return (current) => {
    const result = apply(objectOf(current));
    if (!isJsonObject(result)) throw badRequest("the patched result is not an object");
    return result;
  };
}
