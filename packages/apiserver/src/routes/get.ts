/** GET of one object. */
import type { Reply, ResourceCall } from "../context.ts";
import { notFound } from "../status.ts";

export function getObject(call: ResourceCall): Reply {
  const { resource, namespace, name = "" } = call.target;
  const object = call.context.store.get(resource, namespace, name);
  if (object === undefined) throw notFound(resource, name);
  return { kind: "object", code: 200, object, resource };
}
