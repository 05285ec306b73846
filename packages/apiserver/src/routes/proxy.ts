/** The proxy subresources: any HTTP request through to a node's kubelet, a pod's port or a Service's port. `[https:]NAME[:PORT]`. */
import type { Duplex } from "node:stream";
import { describeError } from "@argyle/core";
import type { Reply, ResourceCall } from "../context.ts";
import { at, isJsonObject, listOf, textAt } from "../json.ts";
import { connectKubelet } from "../kubelet/endpoint.ts";
import { forwardHttp } from "../kubelet/http-proxy.ts";
import { badRequest, failure, notFound } from "../status.ts";

export async function proxyRequest(call: ResourceCall): Promise<Reply> {
  const { target, query, request } = call;
  const { socket, host } = await connect(call);
  const search = query.size === 0 ? "" : `?${query}`;
  const path = `${target.rest === "" ? "/" : target.rest}${search}`;
  await forwardHttp(call, { socket, method: request.method ?? "GET", path, host, statusOnFailure: false });
  return { kind: "taken" };
}

async function connect(call: ResourceCall): Promise<{ readonly socket: Duplex; readonly host: string }> {
  const { resource, namespace = "", name = "" } = call.target;
  const { store } = call.context;
  const parts = name.split(":");
  if (parts.length === 3) {
    if (parts[0] === "https") throw badRequest("proxying to https ports is not supported");
    parts.shift();
  }
  const [plain = "", port] = parts;
  const object = store.get(resource, resource.namespaced ? namespace : undefined, plain);
  if (object === undefined) throw notFound(resource, plain);
  if (resource.kind === "Node") return { socket: await connectKubelet(call.context, plain), host: plain };
  if (resource.kind === "Pod") {
    const ip = textAt(object, "status", "podIP");
    const first = at(listOf(at(listOf(at(object, "spec", "containers"))[0], "ports"))[0], "containerPort");
    const number = port === undefined ? Number(first ?? 80) : Number(port);
    if (ip === undefined) throw badRequest(`address not allowed: pod ${plain} has no IP yet`);
    return { socket: await dial(call, ip, number), host: `${ip}:${number}` };
  }
  const ports = listOf(at(object, "spec", "ports")).filter(isJsonObject);
  const chosen = ports.find((p) => port === undefined || p.name === port || String(p.port) === port);
  if (typeof chosen?.port !== "number")
    throw failure(503, "ServiceUnavailable", `no endpoints available for service "${name}"`);
  const host = `${plain}.${namespace}.svc`;
  return { socket: await dial(call, host, chosen.port), host: `${host}:${chosen.port}` };
}

async function dial(call: ResourceCall, host: string, port: number): Promise<Duplex> {
  try {
    return await call.context.dialService(host, port);
  } catch (error) {
    throw failure(
      503,
      "ServiceUnavailable",
      `error trying to reach service: dial ${host}:${port}: ${describeError(error)}`,
    );
  }
}
