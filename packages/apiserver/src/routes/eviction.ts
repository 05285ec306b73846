/** POST pods/NAME/eviction (policy/v1): a delete with the eviction's options. There are no disruption budgets that could refuse it. */
import { decodeBody, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { objectOf } from "../json.ts";
import { deleteObject, readDeleteOptions } from "./delete.ts";

export async function evictPod(call: ResourceCall): Promise<Reply> {
  const body = decodeBody(await readBody(call.request), call.request.headers["content-type"]);
  const options = readDeleteOptions(objectOf(body?.deleteOptions), call.query);
  await deleteObject(call, call.target, call.target.name ?? "", call.target.namespace, options);
  return {
    kind: "json",
    code: 201,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 },
  };
}
