/** PUT: the body replaces the object, or the part that the subresource stands for. */
import { decodeBody, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { cloneJson, textAt } from "../json.ts";
import { badRequest, invalid } from "../status.ts";
import { readWriteOptions } from "../write-options.ts";
import { updateObject } from "./update-object.ts";

export async function putObject(call: ResourceCall): Promise<Reply> {
  const options = readWriteOptions(call.query, call.request.headers["user-agent"]);
  const body = decodeBody(await readBody(call.request), call.request.headers["content-type"]);
  if (body === undefined) throw badRequest("the request has no body");
  const { resource, name = "" } = call.target;
  if (resource.custom === true && !textAt(body, "metadata", "resourceVersion")) {
    const message = "Invalid value: 0x0: must be specified for an update";
    throw invalid(resource.kind, resource.group, name, [{ path: "metadata.resourceVersion", message }]);
  }
  const object = await updateObject(call, { compute: () => cloneJson(body) }, options);
  return { kind: "object", code: 200, object, resource };
}
