/** Method and target to the route of one verb. The only table of what can be done with a resource. */
import type { Reply, ResourceCall } from "../context.ts";
import { streamLogs } from "../kubelet/logs.ts";
import { badRequest, methodNotAllowed } from "../status.ts";
import { bindPod } from "./binding.ts";
import { postObject } from "./create.ts";
import { deleteCollection, deleteOne } from "./delete.ts";
import { evictPod } from "./eviction.ts";
import { getObject } from "./get.ts";
import { listObjects } from "./list.ts";
import { patchObject } from "./patch.ts";
import { proxyRequest } from "./proxy.ts";
import { putObject } from "./replace.ts";
import { serveScale } from "./scale.ts";
import { requestToken } from "./token.ts";
import { watchObjects } from "./watch.ts";

export async function serveResource(call: ResourceCall): Promise<Reply> {
  const { name, subresource } = call.target;
  if (name === undefined) return serveCollection(call);
  if (subresource === undefined) return serveObject(call);
  return serveSubresource(call, subresource);
}

function isWatch(call: ResourceCall): boolean {
  const watch = call.query.get("watch");
  return watch === "true" || watch === "1" || watch === "";
}

function serveCollection(call: ResourceCall): Promise<Reply> | Reply {
  switch (call.request.method) {
    case "GET":
      return isWatch(call) ? watchObjects(call) : listObjects(call);
    case "POST":
      return postObject(call);
    case "DELETE":
      return deleteCollection(call);
    default:
      throw methodNotAllowed(call.request.method ?? "");
  }
}

function serveObject(call: ResourceCall): Promise<Reply> | Reply {
  switch (call.request.method) {
    case "GET":
      return isWatch(call) ? watchObjects(call) : getObject(call);
    case "PUT":
      return putObject(call);
    case "PATCH":
      return patchObject(call);
    case "DELETE":
      return deleteOne(call);
    default:
      throw methodNotAllowed(call.request.method ?? "");
  }
}

function serveSubresource(call: ResourceCall, subresource: string): Promise<Reply> | Reply {
  const method = call.request.method ?? "";
  switch (subresource) {
    case "status":
    case "ephemeralcontainers":
    case "finalize":
      if (method === "GET" && subresource !== "finalize") return getObject(call);
      if (method === "PUT") return putObject(call);
      if (method === "PATCH" && subresource !== "finalize") return patchObject(call);
      throw methodNotAllowed(method);
    case "scale":
      return serveScale(call);
    case "log":
      if (method !== "GET") throw methodNotAllowed(method);
      return streamLogs(call);
    case "proxy":
      return proxyRequest(call);
    case "binding":
    case "eviction":
    case "token":
      if (method !== "POST") throw methodNotAllowed(method);
      if (subresource === "binding") return bindPod(call);
      return subresource === "eviction" ? evictPod(call) : requestToken(call);
    case "exec":
    case "attach":
    case "portforward":
      throw badRequest("Upgrade request required");
    default:
      throw methodNotAllowed(method);
  }
}
