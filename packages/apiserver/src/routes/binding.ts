/** POST pods/NAME/binding: the scheduler puts a pod on a node. A pod is bound once. */
import { rfc3339Seconds } from "@argyle/core";
import { decodeBody, readBody } from "../body.ts";
import type { Reply, ResourceCall } from "../context.ts";
import { at, cloneJson, ensureObject, isJsonObject, listOf, objectOf, textAt } from "../json.ts";
import { badRequest, conflict, MODIFIED, notFound } from "../status.ts";

export async function bindPod(call: ResourceCall): Promise<Reply> {
  const { store, clock } = call.context;
  const { resource, namespace, name = "" } = call.target;
  const body = decodeBody(await readBody(call.request), call.request.headers["content-type"]);
  const nodeName = textAt(body, "target", "name");
  if (nodeName === undefined || nodeName === "") throw badRequest("target.name: Required value");
  const current = store.get(resource, namespace, name);
  if (current === undefined) throw notFound(resource, name);
  const bound = textAt(current, "spec", "nodeName");
  if (bound) throw conflict(resource, name, `pod ${name} is already assigned to node "${bound}"`);
  if (current.metadata.deletionTimestamp !== undefined) {
    throw conflict(resource, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const pod = cloneJson(objectOf(current));
  ensureObject(pod, "spec").nodeName = nodeName;
  const conditions = listOf(at(pod, "status", "conditions")).filter(
    (condition) => !(isJsonObject(condition) && condition.type === "PodScheduled"),
  );
  ensureObject(pod, "status").conditions = [
    ...conditions,
    { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: rfc3339Seconds(clock.now()) },
  ];
  if (store.put(resource, { ...current, ...pod }, current) === undefined) throw conflict(resource, name, MODIFIED);
  return {
    kind: "json",
    code: 201,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 },
  };
}
