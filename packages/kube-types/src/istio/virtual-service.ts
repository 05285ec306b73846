/** VirtualService. Source: Istio reference, networking/virtual-service. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { checkWeights } from "./destination.ts";
import type { Findings } from "./findings.ts";
import { checkHttpRoute, type RouteContext } from "./http-route.ts";
import { checkExportTo, checkGatewayNames, cidrFault, virtualServiceHostFault } from "./names.ts";
import { warnUnusedRoutes } from "./unused-routes.ts";
import { checkLabels, checkPortNumber } from "./values.ts";

export function checkVirtualService(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const hosts = listAt(spec, "hosts").map(String);
  const gateways = listAt(spec, "gateways").map(String);
  const isDelegate = hosts.length === 0;
  const appliesToMesh = gateways.length === 0 || gateways.includes("mesh");
  const hasGateway = gateways.some((name) => name !== "mesh");
  if (isDelegate) checkDelegate(spec, gateways, to);
  checkGatewayNames(gateways, "spec.gateways", to);
  checkHosts(hosts, appliesToMesh, to);
  if (["http", "tcp", "tls"].every((kind) => listAt(spec, kind).length === 0)) {
    to.error("spec", "http, tcp or tls must be provided in virtual service");
  }
  const context: RouteContext = {
    role: isDelegate ? "delegate" : "root",
    mayUseClaims: hasGateway || isDelegate,
  };
  for (const [index, route] of listAt(spec, "http").entries()) {
    const path = `spec.http[${index}]`;
    if (isTree(route)) checkHttpRoute(route, path, context, to);
    else to.error(path, "http route may not be null");
  }
  for (const [index, route] of listAt(spec, "tls").entries())
    checkTlsRoute(treeAt(route), `spec.tls[${index}]`, hosts, to);
  for (const [index, route] of listAt(spec, "tcp").entries()) checkTcpRoute(treeAt(route), `spec.tcp[${index}]`, to);
  checkExportTo(listAt(spec, "exportTo"), textAt(object, "metadata", "namespace") ?? "", "spec.exportTo", to);
  warnUnusedRoutes(spec, to);
}

function checkDelegate(spec: Tree, gateways: readonly string[], to: Findings): void {
  if (gateways.length > 0) to.error("spec.gateways", "delegate virtual service must have no gateways specified");
  for (const kind of ["tls", "tcp"]) {
    if (listAt(spec, kind).length > 0) {
      to.error(`spec.${kind}`, `delegate virtual service must have no ${kind} route specified`);
    }
  }
}

function checkHosts(hosts: readonly string[], appliesToMesh: boolean, to: Findings): void {
  for (const [index, host] of hosts.entries()) {
    const path = `spec.hosts[${index}]`;
    const fault = virtualServiceHostFault(host);
    if (fault !== undefined) to.error(path, fault);
    else if (host === "*" && appliesToMesh) {
      to.error(path, "wildcard host * is not allowed for virtual services bound to the mesh gateway");
    }
    const other = hosts.slice(0, index).find((earlier) => covers(earlier, host) || covers(host, earlier));
    if (other !== undefined) to.error(path, `duplicate hosts in virtual service: ${other} & ${host}`);
  }
}

function checkTlsRoute(route: Tree, path: string, hosts: readonly string[], to: Findings): void {
  const matches = listAt(route, "match");
  if (matches.length === 0) to.error(path, "TLS route must have at least one match condition");
  for (const [index, match] of matches.entries()) {
    const at = `${path}.match[${index}]`;
    const sniHosts = listAt(match, "sniHosts").map(String);
    if (sniHosts.length === 0) to.error(`${at}.sniHosts`, "TLS match must have at least one SNI host");
    for (const [i, sni] of sniHosts.entries()) checkSniHost(sni, hosts, `${at}.sniHosts[${i}]`, to);
    checkL4Match(treeAt(match), at, to);
  }
  if (listAt(route, "route").length === 0) to.error(path, "TLS route is required");
  checkWeights(route, path, to);
}

function checkSniHost(sni: string, hosts: readonly string[], path: string, to: Findings): void {
  const fault = virtualServiceHostFault(sni);
  if (fault !== undefined) to.error(path, fault);
  else if (!hosts.some((host) => covers(host, sni))) {
    to.error(
      path,
      `SNI host "${sni}" is not a compatible subset of any of the virtual service hosts: [${hosts.join(" ")}]`,
    );
  }
}

/** Whether every name that `name` stands for is one that `host` stands for. */
function covers(host: string, name: string): boolean {
  if (host === "*" || host === name) return true;
  return host.startsWith("*") && name.replace(/^\*/, "").endsWith(host.slice(1)) && name.length >= host.length - 1;
}

function checkTcpRoute(route: Tree, path: string, to: Findings): void {
  for (const [index, match] of listAt(route, "match").entries())
    checkL4Match(treeAt(match), `${path}.match[${index}]`, to);
  if (listAt(route, "route").length === 0) to.error(path, "TCP route is required");
  checkWeights(route, path, to);
}

function checkL4Match(match: Tree, path: string, to: Findings): void {
  for (const [index, subnet] of listAt(match, "destinationSubnets").entries()) {
    const fault = cidrFault(String(subnet));
    if (fault !== undefined) to.error(`${path}.destinationSubnets[${index}]`, fault);
  }
  const source = textAt(match, "sourceSubnet") ?? "";
  const fault = source === "" ? undefined : cidrFault(source);
  if (fault !== undefined) to.error(`${path}.sourceSubnet`, fault);
  const { port } = match;
  if (port !== undefined && port !== null && port !== 0) checkPortNumber(port, `${path}.port`, to);
  checkLabels(match.sourceLabels, `${path}.sourceLabels`, to);
  checkGatewayNames(listAt(match, "gateways"), `${path}.gateways`, to);
}
