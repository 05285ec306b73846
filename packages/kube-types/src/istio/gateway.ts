/** Istio's Gateway. Source: Istio reference, networking/gateway. */

import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { isIpAddress } from "../validate/names.ts";
import type { Findings } from "./findings.ts";
import { namespacedHostFault } from "./names.ts";
import { checkServerTls } from "./server-tls.ts";
import { checkLabels, checkPortName, checkPortNumber, checkProtocol, isTlsProtocol } from "./values.ts";

export function checkGateway(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const servers = listAt(spec, "servers");
  if (servers.length === 0) to.error("spec.servers", "gateway must have at least one server");
  checkLabels(spec.selector, "spec.selector", to);
  const portNames = new Set<string>();
  const serverNames = new Set<string>();
  for (const [index, server] of servers.entries()) {
    const path = `spec.servers[${index}]`;
    if (!isTree(server)) {
      to.error(path, "server may not be null");
      continue;
    }
    checkServer(server, path, to);
    const portName = textAt(server, "port", "name") ?? "";
    if (portName !== "" && portNames.has(portName)) {
      to.error(`${path}.port.name`, `port names in servers must be unique: duplicate name ${portName}`);
    }
    portNames.add(portName);
    const name = textAt(server, "name") ?? "";
    if (name !== "" && serverNames.has(name))
      to.error(`${path}.name`, `server names must be unique: duplicate name ${name}`);
    serverNames.add(name);
  }
}

function checkServer(server: Tree, path: string, to: Findings): void {
  const hosts = listAt(server, "hosts");
  if (hosts.length === 0) to.error(`${path}.hosts`, "server config must contain at least one host");
  for (const [index, host] of hosts.entries()) {
    const fault = namespacedHostFault(String(host), true);
    if (fault !== undefined) to.error(`${path}.hosts[${index}]`, fault);
  }
  const { port, tls } = server;
  const bind = textAt(server, "bind") ?? "";
  checkPort(port, bind, `${path}.port`, to);
  if (bind !== "" && !bind.startsWith("unix://") && !isIpAddress(bind)) {
    to.error(`${path}.bind`, `${bind} is not a valid IP`);
  }
  if (isTree(tls)) checkServerTls(isRedirectOnly(tls) ? {} : tls, `${path}.tls`, to);
  checkTlsFits(textAt(port, "protocol") ?? "", tls, path, to);
}

function isRedirectOnly(tls: Tree): boolean {
  return tls.httpsRedirect === true && (textAt(tls, "mode") ?? "PASSTHROUGH") === "PASSTHROUGH";
}

function checkTlsFits(protocol: string, tls: unknown, path: string, to: Findings): void {
  if (isTlsProtocol(protocol)) {
    if (!isTree(tls)) to.error(path, "server must have TLS settings for HTTPS/TLS protocols");
    else if (tls.httpsRedirect === true) to.warn("tls.httpsRedirect should only be used with http servers");
  } else if (isTree(tls) && !isRedirectOnly(tls)) {
    const settings = Object.keys(tls).filter((field) => field !== "httpsRedirect");
    if (settings.length > 0 && protocol.toUpperCase() !== "TCP") {
      to.error(`${path}.tls`, "server cannot have TLS settings for non HTTPS/TLS ports");
    }
  }
}

function checkPort(port: unknown, bind: string, path: string, to: Findings): void {
  if (!isTree(port)) {
    to.error(path, "port is required");
    return;
  }
  checkProtocol(textAt(port, "protocol") ?? "", `${path}.protocol`, to, true);
  if (bind.startsWith("unix://")) {
    if ((port.number ?? 0) !== 0) to.error(`${path}.number`, "port number must be 0 for unix domain socket");
  } else checkPortNumber(port.number, `${path}.number`, to);
  const name = textAt(port, "name") ?? "";
  if (name === "") to.error(`${path}.name`, "port name must be set");
  else checkPortName(name, `${path}.name`, to);
}
