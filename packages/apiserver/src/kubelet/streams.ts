/**
 * exec, attach and portforward: the client's upgrade (SPDY/3.1 or WebSocket) is sent on to the kubelet as it came, and when the kubelet
 * switches protocols the two byte streams are joined. What travels in them is the kubelet's matter.
 * A kubelet that does not switch has its answer passed on with `Connection: close`: the client must not send its next request down here.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { KubeObject } from "@argyle/kube-types";
import type { ServerContext } from "../context.ts";
import { textAt } from "../json.ts";
import type { Target } from "../request-target.ts";
import { badRequest, notFound } from "../status.ts";
import { chooseContainer, connectKubelet } from "./endpoint.ts";

export interface Upgrade {
  readonly context: ServerContext;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly query: URLSearchParams;
  readonly target: Target;
}

/** The subresources that are upgraded, with the kubelet's path of each. */
const KUBELET_PATHS: Readonly<Record<string, string>> = { exec: "exec", attach: "attach", portforward: "portForward" };

export function isStream(target: Target): boolean {
  return target.resource.kind === "Pod" && target.subresource !== undefined && target.subresource in KUBELET_PATHS;
}

export async function joinStream(upgrade: Upgrade): Promise<void> {
  const { context, target, request, socket } = upgrade;
  const { resource, namespace = "", name = "", subresource = "" } = target;
  const pod = context.store.get(resource, namespace, name);
  if (pod === undefined) throw notFound(resource, name);
  const nodeName = textAt(pod, "spec", "nodeName") ?? "";
  if (nodeName === "") throw badRequest(`pod ${name} does not have a host assigned`);
  const path = kubeletPath(pod, subresource, upgrade.query);
  const kubelet = await connectKubelet(context, nodeName);
  if (socket.destroyed) {
    kubelet.destroy();
    return;
  }
  const backend = httpRequest({
    method: request.method ?? "GET",
    path,
    headers: forwardedHeaders(request),
    createConnection: () => kubelet,
  });
  const stop = () => {
    socket.destroy();
    kubelet.destroy();
  };
  socket.on("error", stop);
  kubelet.on("error", stop);
  backend.on("error", stop);
  socket.on("close", stop);
  backend.on("upgrade", (answer: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", stop);
    socket.write(headText(answer, []));
    if (head.length > 0) socket.write(head);
    if (upgrade.head.length > 0) stream.write(upgrade.head);
    stream.pipe(socket);
    socket.pipe(stream);
  });
  backend.on("response", (answer) => {
    socket.write(headText(answer, ["connection", "transfer-encoding", "keep-alive"], "Connection: close\r\n"));
    answer.on("end", () => socket.end());
    answer.pipe(socket);
  });
  backend.end();
}

function kubeletPath(pod: KubeObject, subresource: string, query: URLSearchParams): string {
  const { namespace, name } = pod.metadata;
  const sent = new URLSearchParams(query);
  const root = `/${KUBELET_PATHS[subresource]}/${namespace}/${name}`;
  if (subresource === "portforward") return `${root}?${sent}`;
  const container = chooseContainer(pod, query.get("container"));
  sent.delete("container");
  // The kubelet's own names for the streams, which differ from the API's.
  const names = [
    ["stdin", "input"],
    ["stdout", "output"],
    ["stderr", "error"],
    ["tty", "tty"],
  ] as const;
  for (const [api, kubelet] of names) {
    const isOn = /^(1|true)$/i.test(query.get(api) ?? "");
    sent.delete(api);
    if (isOn) sent.set(kubelet, "1");
  }
  return `${root}/${container}?${sent}`;
}

/** As they came, repeated headers included; the credentials stay here. */
function forwardedHeaders(request: IncomingMessage): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? "";
    if (name.toLowerCase() === "authorization") continue;
    headers[name] = [...(headers[name] ?? []), request.rawHeaders[i + 1] ?? ""];
  }
  return headers;
}

function headText(answer: IncomingMessage, dropped: readonly string[], extra = ""): string {
  let text = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`;
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i] ?? "";
    if (!dropped.includes(name.toLowerCase())) text += `${name}: ${answer.rawHeaders[i + 1]}\r\n`;
  }
  return `${text}${extra}\r\n`;
}
