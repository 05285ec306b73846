/**
 * Reads Istio's node id `type~ip~name.namespace~domain` and the metadata beside it.
 * https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/ and the ISTIO_META_* environment of pilot-agent.
 */
import { err, ok, type Result } from "@argyle/core";
import type { Node } from "@argyle/xds";
import type { ProxyNode } from "./config-source.ts";

export function parseProxyNode(node: Node): Result<ProxyNode> {
  const parts = node.id.split("~");
  const [type, ip, qualified, domain] = parts;
  if (parts.length !== 4 || ip === undefined || qualified === undefined || domain === undefined) {
    return refuse(`must be type~ip~name.namespace~domain, not "${node.id}"`);
  }
  if (type !== "sidecar" && type !== "router") return refuse(`type must be sidecar or router, not "${type}"`);
  const metadata = node.metadata ?? {};
  const dot = qualified.lastIndexOf(".");
  const namespace = textOf(metadata.NAMESPACE) ?? qualified.slice(dot + 1);
  if (dot <= 0 || namespace === "") return refuse(`name must be pod.namespace, not "${qualified}"`);
  const name = qualified.endsWith(`.${namespace}`)
    ? qualified.slice(0, -namespace.length - 1)
    : qualified.slice(0, dot);
  return ok({
    id: node.id,
    type,
    ip,
    name,
    namespace,
    metadata,
    cluster: node.cluster ?? "",
    labels: textsOf(metadata.LABELS),
    locality: node.locality ?? {},
    userAgent: node.user_agent_name ?? "",
    istioVersion: textOf(metadata.ISTIO_VERSION) ?? "",
    filters: new Set((textOf(metadata.ARGYLE_FILTERS) ?? "").split(",").filter((filter) => filter !== "")),
  });
}

function refuse(message: string): Result<ProxyNode> {
  return err([{ path: "node.id", message }]);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
