/** GET pods/NAME/log: the kubelet's /containerLogs, streamed. */
import type { Reply, ResourceCall } from "../context.ts";
import { textAt } from "../json.ts";
import { notFound } from "../status.ts";
import { chooseContainer, connectKubelet } from "./endpoint.ts";
import { forwardHttp } from "./http-proxy.ts";

export async function streamLogs(call: ResourceCall): Promise<Reply> {
  const { resource, namespace = "", name = "" } = call.target;
  const pod = call.context.store.get(resource, namespace, name);
  if (pod === undefined) throw notFound(resource, name);
  const container = chooseContainer(pod, call.query.get("container"));
  const nodeName = textAt(pod, "spec", "nodeName") ?? "";
  if (nodeName === "") {
    // Not scheduled yet: an empty log, as Kubernetes answers.
    call.response.writeHead(200, { "content-type": "text/plain" });
    call.response.end();
    return { kind: "taken" };
  }
  const query = new URLSearchParams(call.query);
  query.delete("container");
  const socket = await connectKubelet(call.context, nodeName);
  await forwardHttp(call, {
    socket,
    method: "GET",
    path: `/containerLogs/${namespace}/${name}/${container}?${query}`,
    host: nodeName,
    statusOnFailure: true,
  });
  return { kind: "taken" };
}
