/** The scale subresource: autoscaling/v1 Scale as a view of spec.replicas. */
import { formatLabelSelector, type KubeObject, type LabelSelector } from "@argyle/kube-types";
import { decodeBody, mediaType, parseJson, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { at, cloneJson, ensureObject, isJsonObject, type JsonObject, objectOf, textAt } from "../json.ts";
import { badRequest, conflict, invalid, MODIFIED, methodNotAllowed, notFound } from "../status.ts";
import { readWriteOptions } from "../write-options.ts";
import { patchFunction } from "./patch.ts";
import { updateObject } from "./update-object.ts";

export async function serveScale(call: ResourceCall): Promise<Reply> {
  const { resource, namespace, name = "" } = call.target;
  const { method } = call.request;
  if (method === "GET") {
    const object = call.context.store.get(resource, namespace, name);
    if (object === undefined) throw notFound(resource, name);
    return { kind: "json", code: 200, body: scaleOf(object) };
  }
  if (method !== "PUT" && method !== "PATCH") throw methodNotAllowed(method ?? "");
  const options = readWriteOptions(call.query, call.request.headers["user-agent"]);
  const bytes = await readBody(call.request);
  const type = call.request.headers["content-type"];
  let next: (current: JsonObject) => unknown;
  if (method === "PATCH") {
    // The merge of a Scale needs no schema: strategic and merge patch are the same for it.
    const plainType = mediaType(type).replace("strategic-merge-patch", "merge-patch");
    next = patchFunction(call, plainType, parseJson(bytes));
  } else {
    const body = decodeBody(bytes, type);
    if (body === undefined) throw badRequest("the request has no body");
    next = () => body;
  }
  // The call's target names the subresource; what is changed is the object itself.
  const main: ResourceCall = { ...call, target: { ...call.target, subresource: undefined } };
  const compute = (current: KubeObject) => {
    const scale = next(scaleOf(current));
    const wanted = textAt(scale, "metadata", "resourceVersion") ?? "";
    if (wanted !== "" && wanted !== current.metadata.resourceVersion) throw conflict(resource, name, MODIFIED);
    const replicas = at(scale, "spec", "replicas") ?? 0;
    if (!isJsonObject(scale) || typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
      const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`;
      throw invalid("Scale", "autoscaling", name, [{ path: "spec.replicas", message }]);
    }
    const changed = cloneJson(objectOf(current));
    delete ensureObject(changed, "metadata").resourceVersion;
    ensureObject(changed, "spec").replicas = replicas;
    return changed;
  };
  return { kind: "json", code: 200, body: scaleOf(await updateObject(main, { compute }, options)) };
}

function scaleOf(object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = at(object, "spec", "selector");
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, "spec", "replicas") ?? 0 },
    status: {
      replicas: at(object, "status", "replicas") ?? 0,
      selector: isJsonObject(selector) ? formatLabelSelector(selector as LabelSelector) : "",
    },
  };
}
