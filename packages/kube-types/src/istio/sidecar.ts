/** Sidecar. Source: Istio reference, networking/sidecar. */
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { isIpAddress } from "../validate/names.ts";
import { checkSubset } from "./destination.ts";
import type { Findings } from "./findings.ts";
import { fqdnFault, namespacedHostFault } from "./names.ts";
import { checkWorkloadSelector } from "./selectors.ts";
import { checkSidecarTls } from "./server-tls.ts";
import { checkConnectionPool } from "./traffic-policy.ts";
import { checkPortName, checkPortNumber, checkProtocol } from "./values.ts";
import { checkSocketPath } from "./workload-entry.ts";

export function checkSidecar(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  checkWorkloadSelector(spec.workloadSelector, "labels", "spec.workloadSelector", to);
  const ingress = listAt(spec, "ingress");
  const egress = listAt(spec, "egress");
  const { outboundTrafficPolicy, inboundConnectionPool } = spec;
  if (ingress.length + egress.length === 0 && !isTree(outboundTrafficPolicy) && !isTree(inboundConnectionPool)) {
    to.error("spec", "sidecar: empty configuration provided");
  }
  checkIngress(ingress, to);
  checkEgress(egress, textAt(object, "metadata", "namespace") ?? "", to);
  checkConnectionPool(inboundConnectionPool, "spec.inboundConnectionPool", to);
  if (isTree(outboundTrafficPolicy)) checkOutboundPolicy(outboundTrafficPolicy, to);
}

function checkIngress(listeners: readonly unknown[], to: Findings): void {
  const numbers = new Set<number>();
  for (const [index, listener] of listeners.entries()) {
    const path = `spec.ingress[${index}]`;
    if (!isTree(listener)) {
      to.error(path, "sidecar: ingress may not be null");
      continue;
    }
    const { port } = listener;
    if (!isTree(port)) {
      to.error(`${path}.port`, "sidecar: port is required for ingress listeners");
      continue;
    }
    checkPort(port, `${path}.port`, to);
    const number = numberAt(port, "number") ?? 0;
    checkPortNumber(number, `${path}.port.number`, to);
    if (numbers.has(number)) to.error(`${path}.port`, "sidecar: ports on IP bound listeners must be unique");
    numbers.add(number);
    const bind = textAt(listener, "bind") ?? "";
    if (bind !== "" && !isIpAddress(bind))
      to.error(`${path}.bind`, "sidecar: bind of ingress listeners must be an IP address");
    checkDefaultEndpoint(textAt(listener, "defaultEndpoint") ?? "", `${path}.defaultEndpoint`, to);
    checkSidecarTls(listener.tls, `${path}.tls`, to);
    checkConnectionPool(listener.connectionPool, `${path}.connectionPool`, to);
  }
}

function checkDefaultEndpoint(endpoint: string, path: string, to: Findings): void {
  if (endpoint === "") return;
  if (endpoint.startsWith("unix://")) {
    checkSocketPath(endpoint, path, to);
    return;
  }
  const match = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):(\d+)$/.exec(endpoint);
  if (match === null) {
    to.error(
      path,
      "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset",
    );
  } else checkPortNumber(Number(match[1]), path, to);
}

function checkEgress(listeners: readonly unknown[], own: string, to: Findings): void {
  const binds = new Set<string>();
  let catchAll: number | undefined;
  for (const [index, listener] of listeners.entries()) {
    const path = `spec.egress[${index}]`;
    if (!isTree(listener)) {
      to.error(path, "sidecar: egress may not be null");
      continue;
    }
    const { port } = listener;
    const bind = textAt(listener, "bind") ?? "";
    if (isTree(port)) {
      checkEgressPort(port, bind, textAt(listener, "captureMode") ?? "DEFAULT", path, to);
      const key = `${bind}:${numberAt(port, "number") ?? 0}`;
      if (binds.has(key)) to.error(`${path}.port`, "sidecar: ports on IP bound listeners must be unique");
      binds.add(key);
    } else {
      if (bind !== "") to.error(`${path}.bind`, "sidecar: bind cannot be set without a port");
      if (catchAll !== undefined)
        to.error(path, "sidecar: only one egress listener may have no port: there can be one catch all");
      catchAll = index;
    }
    checkEgressHosts(listAt(listener, "hosts").map(String), own, `${path}.hosts`, to);
  }
  if (catchAll !== undefined && catchAll !== listeners.length - 1) {
    to.error("spec.egress", "sidecar: the egress listener with empty port should be the last listener in the list");
  }
}

function checkEgressPort(port: Tree, bind: string, captureMode: string, path: string, to: Findings): void {
  checkPort(port, `${path}.port`, to);
  if (bind.startsWith("unix://")) {
    checkSocketPath(bind, `${path}.bind`, to);
    if ((numberAt(port, "number") ?? 0) !== 0)
      to.error(`${path}.port.number`, "sidecar: port number must be 0 for unix domain socket");
    if (captureMode === "IPTABLES")
      to.error(`${path}.captureMode`, "sidecar: captureMode must be DEFAULT/NONE for unix domain socket");
    return;
  }
  checkPortNumber(port.number, `${path}.port.number`, to);
  if (bind !== "" && !isIpAddress(bind)) to.error(`${path}.bind`, `${bind} is not a valid IP`);
}

function checkPort(port: Tree, path: string, to: Findings): void {
  const name = textAt(port, "name") ?? "";
  if (name !== "") checkPortName(name, `${path}.name`, to);
  checkProtocol(textAt(port, "protocol") ?? "", `${path}.protocol`, to);
}

function checkEgressHosts(hosts: readonly string[], own: string, path: string, to: Findings): void {
  if (hosts.length === 0) to.error(path, "sidecar: egress listener must contain at least one host");
  const seen = new Map<string, Set<string>>();
  for (const [index, host] of hosts.entries()) {
    const fault = namespacedHostFault(host, false);
    if (fault !== undefined) to.error(`${path}[${index}]`, fault);
    const slash = host.indexOf("/");
    if (slash === -1) continue;
    const written = host.slice(0, slash);
    const namespace = written === "." ? own : written;
    const name = host.slice(slash + 1);
    const known = seen.get(namespace) ?? new Set();
    if (name === "*" ? known.size > 0 : known.has(name) || known.has("*")) to.warn(`duplicated egress host: ${host}`);
    seen.set(namespace, known.add(name));
  }
  const others = [...seen.keys()].filter((namespace) => namespace !== "*" && namespace !== "~");
  if (seen.get("*")?.has("*") === true && others.length > 0) {
    to.warn("`*/*` host select all resources, no other hosts can be added");
  }
}

function checkOutboundPolicy(policy: Tree, to: Findings): void {
  const { egressProxy } = policy;
  const path = "spec.outboundTrafficPolicy.egressProxy";
  if (!isTree(egressProxy)) return;
  if ((textAt(policy, "mode") ?? "REGISTRY_ONLY") !== "ALLOW_ANY") {
    to.error(path, "sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
  }
  const fault = fqdnFault(textAt(egressProxy, "host") ?? "");
  if (fault !== undefined) to.error(`${path}.host`, fault);
  checkSubset(textAt(egressProxy, "subset") ?? "", `${path}.subset`, to);
  if (isAbsent(egressProxy.port)) to.error(`${path}.port`, "sidecar: egress_proxy port must be non-nil");
  else checkPortNumber(treeAt(egressProxy.port).number, `${path}.port.number`, to);
}
