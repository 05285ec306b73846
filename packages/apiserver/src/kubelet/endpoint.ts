/** Where the kubelet of a pod is, and an authenticated connection to it. */
import type { TLSSocket } from "node:tls";
import { describeError } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import type { ServerContext } from "../context.ts";
import { at, isJsonObject, listOf, textAt } from "../json.ts";
import { badRequest, failure, internalError, notFound } from "../status.ts";
import { dialTls } from "../tls-request.ts";

const NODES = resourceOf("Node");
const CONNECT_TIMEOUT_MS = 5000;

export async function connectKubelet(context: ServerContext, nodeName: string): Promise<TLSSocket> {
  const node = context.store.get(NODES, undefined, nodeName);
  if (node === undefined) throw notFound(NODES, nodeName);
  const address = addressOf(node);
  const port = at(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port");
  if (address === undefined || typeof port !== "number") {
    throw internalError(`node "${nodeName}" does not say where its kubelet listens`);
  }
  const abort = new AbortController();
  const timer = context.clock.after(CONNECT_TIMEOUT_MS, () => abort.abort());
  try {
    return await dialTls(
      context.dialService,
      {
        host: address,
        port,
        serverName: address,
        caPem: context.pki.caCertPem,
        client: context.pki.kubeletClient,
      },
      abort.signal,
    );
  } catch (error) {
    const message = `error dialing backend: dial tcp ${address}:${port}: ${describeError(error)}`;
    throw failure(502, "ServiceUnavailable", message);
  } finally {
    timer.cancel();
  }
}

function addressOf(node: KubeObject): string | undefined {
  const addresses = listOf(at(node, "status", "addresses")).filter(isJsonObject);
  const find = (type: string) =>
    textAt(
      addresses.find((a) => a.type === type),
      "address",
    );
  return find("InternalIP") ?? find("ExternalIP") ?? find("Hostname");
}

/** The container that a request means: the one named, the default-container annotation's, or the only one. */
export function chooseContainer(pod: KubeObject, asked: string | null): string {
  const names = ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    listOf(at(pod, "spec", list)).flatMap((c) => textAt(c, "name") ?? []),
  );
  if (asked !== null && asked !== "") {
    if (names.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const preferred = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (preferred !== undefined && names.includes(preferred)) return preferred;
  const main = listOf(at(pod, "spec", "containers")).flatMap((c) => textAt(c, "name") ?? []);
  const only = main[0];
  if (only !== undefined && main.length === 1) return only;
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${main.join(" ")}]`,
  );
}
