/** WorkloadEntry and WorkloadGroup. Source: Istio reference, networking/workload-entry, networking/workload-group. */
import { isAbsent, isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { isIpAddress } from "../validate/names.ts";
import type { Findings } from "./findings.ts";
import { fqdnFault } from "./names.ts";
import { checkLabels, checkNonNegative, checkPortName, checkPortNumber } from "./values.ts";

export function checkWorkloadEntry(object: Tree, to: Findings): void {
  checkWorkload(treeAt(object.spec), "spec", to);
}

/** `isTemplate`: a WorkloadGroup's template has no address. */
export function checkWorkload(entry: Tree, path: string, to: Findings, isTemplate = false): void {
  const address = textAt(entry, "address") ?? "";
  const ports = Object.entries(treeAt(entry.ports));
  if (address === "") {
    if ((textAt(entry, "network") ?? "") === "" && !isTemplate) to.error(`${path}.address`, "address is required");
    else if (!isTemplate) to.warn(`address is unset with network "${textAt(entry, "network") ?? ""}"`);
  } else if (address.startsWith("unix://")) {
    checkSocketPath(address, `${path}.address`, to);
    if (ports.length > 0) to.error(`${path}.ports`, "unix domain socket endpoints must not define ports");
  } else if (!isIpAddress(address) && fqdnFault(address) !== undefined) {
    to.error(`${path}.address`, `endpoint address "${address}" is not a valid FQDN or an IP address`);
  }
  for (const [name, number] of ports) {
    checkPortName(name, `${path}.ports.${name}`, to);
    checkPortNumber(number, `${path}.ports.${name}`, to);
  }
  checkNonNegative(entry, ["weight"], path, to);
  checkLabels(entry.labels, `${path}.labels`, to);
}

export function checkSocketPath(address: string, path: string, to: Findings): void {
  const socket = address.slice("unix://".length);
  if (!socket.startsWith("/") && !socket.startsWith("@")) to.error(path, `${socket} is not an absolute path`);
  else if (socket.endsWith("/")) to.error(path, `UDS may not be a dir: ${socket}`);
}

export function checkWorkloadGroup(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const { template, probe, metadata } = spec;
  checkLabels(treeAt(metadata).labels, "spec.metadata.labels", to);
  if (isTree(template)) checkWorkload(template, "spec.template", to, true);
  else to.error("spec.template", "template is required");
  if (isTree(probe)) checkProbe(probe, to);
}

function checkProbe(probe: Tree, to: Findings): void {
  const path = "spec.probe";
  checkNonNegative(
    probe,
    ["periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold", "initialDelaySeconds"],
    path,
    to,
  );
  const given = ["httpGet", "tcpSocket", "exec", "grpc"].filter((method) => !isAbsent(probe[method]));
  if (given.length === 0) to.error(path, "unknown health check method");
  if (given.length > 1) to.error(path, `only one health check method can be set, not ${given.join(", ")}`);
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (isTree(httpGet)) checkPortNumber(httpGet.port, `${path}.httpGet.port`, to);
  if (isTree(tcpSocket)) checkPortNumber(tcpSocket.port, `${path}.tcpSocket.port`, to);
  if (isTree(grpc) && !isAbsent(grpc.port)) checkPortNumber(grpc.port, `${path}.grpc.port`, to);
  if (isTree(exec) && listAt(exec, "command").length === 0)
    to.error(`${path}.exec.command`, "exec command must be set");
}
