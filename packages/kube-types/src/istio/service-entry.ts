/** ServiceEntry. What is allowed depends on the resolution. Source: Istio reference, networking/service-entry. */
import { isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { isIpAddress } from "../validate/names.ts";
import type { Findings } from "./findings.ts";
import { checkExportTo, cidrFault, fqdnFault, isPartialWildcard, wildcardDomainFault } from "./names.ts";
import { checkWorkloadSelector } from "./selectors.ts";
import { checkLabels, checkPortName, checkPortNumber, checkProtocol, isHttpProtocol, isTlsProtocol } from "./values.ts";
import { checkSocketPath, checkWorkload } from "./workload-entry.ts";

export function checkServiceEntry(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const resolution = textAt(spec, "resolution") ?? "NONE";
  const { workloadSelector } = spec;
  const endpoints = listAt(spec, "endpoints");
  if (isTree(workloadSelector)) {
    if (endpoints.length > 0)
      to.error(
        "spec",
        "only one of WorkloadSelector or Endpoints is allowed in Service Entry: only one of WorkloadSelector or Endpoints can be set",
      );
    if (Object.keys(treeAt(workloadSelector.labels)).length === 0)
      to.warn("workload selector specified without labels");
    if (resolution === "NONE") to.warn("workloadSelector should not be set when resolution mode is NONE");
    checkWorkloadSelector(workloadSelector, "labels", "spec.workloadSelector", to);
  }
  checkHosts(spec, to);
  checkAddresses(spec, resolution, to);
  checkPorts(spec, resolution, to);
  checkResolution(object, spec, resolution, to);
  warnMissingAddresses(object, spec, resolution, to);
  const namespace = textAt(object, "metadata", "namespace") ?? "";
  checkExportTo(listAt(spec, "exportTo"), namespace, "spec.exportTo", to, "service-entry");
}

function checkHosts(spec: Tree, to: Findings): void {
  const hosts = listAt(spec, "hosts").map(String);
  if (hosts.length === 0) to.error("spec.hosts", "service entry must have at least one host");
  for (const [index, host] of hosts.entries()) {
    const fault = host === "*" ? "invalid host *" : wildcardDomainFault(host);
    if (fault !== undefined) to.error(`spec.hosts[${index}]`, fault);
    else if (isPartialWildcard(host))
      to.warn(`partial wildcard "${host}" may not work in every setting; prefer "*.domain"`);
  }
}

function checkAddresses(spec: Tree, resolution: string, to: Findings): void {
  let hasRange = false;
  for (const [index, address] of listAt(spec, "addresses").entries()) {
    const text = String(address);
    hasRange ||= text.includes("/");
    const fault = cidrFault(text);
    if (fault !== undefined) to.error(`spec.addresses[${index}]`, fault);
  }
  if (hasRange && resolution !== "NONE" && resolution !== "STATIC") {
    to.error("spec.addresses", "CIDR addresses are allowed only for NONE/STATIC resolution types");
  }
}

function checkPorts(spec: Tree, resolution: string, to: Findings): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const [index, port] of listAt(spec, "ports").entries()) {
    const path = `spec.ports[${index}]`;
    if (!isTree(port)) {
      to.error(path, "service entry port may not be null");
      continue;
    }
    const name = textAt(port, "name") ?? "";
    const number = numberAt(port, "number") ?? 0;
    if (names.has(name)) to.error(`${path}.name`, `service entry port name "${name}" already defined. Duplicate value`);
    if (numbers.has(number))
      to.error(`${path}.number`, `service entry port ${number} already defined: port number cannot be duplicated`);
    names.add(name);
    numbers.add(number);
    checkPortName(name, `${path}.name`, to);
    checkProtocol(textAt(port, "protocol") ?? "", `${path}.protocol`, to);
    checkPortNumber(number, `${path}.number`, to);
    const target = numberAt(port, "targetPort") ?? 0;
    if (target === 0) continue;
    checkPortNumber(target, `${path}.targetPort`, to);
    if (resolution === "NONE")
      to.warn(`service entry port ${number} has targetPort, which has no effect with resolution NONE`);
  }
}

function checkResolution(object: Tree, spec: Tree, resolution: string, to: Findings): void {
  const endpoints = listAt(spec, "endpoints");
  const hosts = listAt(spec, "hosts").map(String);
  switch (resolution) {
    case "NONE":
      if (endpoints.length > 0) to.error("spec.endpoints", "no endpoints should be provided for resolution type none");
      break;
    case "STATIC":
      for (const [index, endpoint] of endpoints.entries())
        checkStaticEndpoint(spec, treeAt(endpoint), `spec.endpoints[${index}]`, to);
      break;
    case "DNS":
    case "DNS_ROUND_ROBIN":
      if (endpoints.length === 0) checkResolvable(hosts, resolution, to);
      if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
        to.error("spec.endpoints", "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
      }
      for (const [index, endpoint] of endpoints.entries())
        checkDnsEndpoint(spec, treeAt(endpoint), `spec.endpoints[${index}]`, to);
      break;
    case "DYNAMIC_DNS":
      checkDynamicDns(object, spec, to);
      break;
    default:
      to.error("spec.resolution", `unsupported resolution type ${resolution}`);
  }
  checkDistinguishable(spec, resolution, to);
}

/** With several hosts only HTTP's authority and TLS's SNI say which one is meant. */
function checkDistinguishable(spec: Tree, resolution: string, to: Findings): void {
  if (resolution === "NONE" || resolution === "DYNAMIC_DNS" || listAt(spec, "hosts").length < 2) return;
  const protocols = listAt(spec, "ports").map((port) => textAt(port, "protocol") ?? "");
  if (protocols.some((protocol) => !isHttpProtocol(protocol) && !isTlsProtocol(protocol))) {
    to.error("spec.hosts", "multiple hosts provided with non-HTTP, non-TLS ports");
  }
}

function checkResolvable(hosts: readonly string[], resolution: string, to: Findings): void {
  for (const [index, host] of hosts.entries()) {
    if (fqdnFault(host) !== undefined) {
      to.error(
        `spec.hosts[${index}]`,
        `hosts must be FQDN if no endpoints are provided for resolution mode ${resolution}`,
      );
    }
  }
}

function checkStaticEndpoint(spec: Tree, endpoint: Tree, path: string, to: Findings): void {
  const address = textAt(endpoint, "address") ?? "";
  if (address.startsWith("unix://")) {
    checkSocketPath(address, `${path}.address`, to);
    if (listAt(spec, "ports").length !== 1) to.error(path, "exactly 1 service port required for unix endpoints");
    if (Object.keys(treeAt(endpoint.ports)).length > 0)
      to.error(`${path}.ports`, "unix endpoint must not define ports");
  } else if (!isIpAddress(address) && !(address === "" && (textAt(endpoint, "network") ?? "") !== "")) {
    to.error(`${path}.address`, `"${address}" is not a valid IP`);
  }
  checkEndpointPorts(spec, endpoint, path, to);
}

function checkDnsEndpoint(spec: Tree, endpoint: Tree, path: string, to: Findings): void {
  const address = textAt(endpoint, "address") ?? "";
  if (address.startsWith("unix://"))
    to.error(`${path}.address`, "unix domain socket addresses are not allowed with resolution DNS");
  else checkWorkload({ address, network: endpoint.network }, path, to);
  checkEndpointPorts(spec, endpoint, path, to);
}

function checkEndpointPorts(spec: Tree, endpoint: Tree, path: string, to: Findings): void {
  const known = new Set(listAt(spec, "ports").map((port) => textAt(port, "name") ?? ""));
  for (const [name, number] of Object.entries(treeAt(endpoint.ports))) {
    if (!known.has(name))
      to.error(`${path}.ports.${name}`, `endpoint port ${name} is not defined by the service entry`);
    checkPortName(name, `${path}.ports.${name}`, to);
    checkPortNumber(number, `${path}.ports.${name}`, to);
  }
  checkLabels(endpoint.labels, `${path}.labels`, to);
}

/** The name to resolve comes from the request, so it must carry one, and the host must be a wildcard. */
function checkDynamicDns(object: Tree, spec: Tree, to: Findings): void {
  for (const [index, host] of listAt(spec, "hosts").entries()) {
    if (!String(host).startsWith("*."))
      to.error(`spec.hosts[${index}]`, "hosts must be wildcards for resolution mode DYNAMIC_DNS");
  }
  for (const [index, port] of listAt(spec, "ports").entries()) {
    const protocol = textAt(port, "protocol") ?? "";
    if (!isHttpProtocol(protocol) && !isTlsProtocol(protocol)) {
      to.error(
        `spec.ports[${index}].protocol`,
        `protocol "${protocol}" is not supported for resolution mode DYNAMIC_DNS`,
      );
    }
  }
  if (listAt(spec, "addresses").length > 0)
    to.error("spec.addresses", "addresses must not be set for resolution mode DYNAMIC_DNS");
  if (listAt(spec, "endpoints").length > 0)
    to.error("spec.endpoints", "endpoints must not be set for resolution mode DYNAMIC_DNS");
  const waypoint = textAt(object, "metadata", "labels", "istio.io/use-waypoint") ?? "";
  if (textAt(spec, "location") === "MESH_INTERNAL" && waypoint !== "" && waypoint !== "none") {
    to.error("spec.location", "MESH_INTERNAL with a waypoint is not supported for resolution mode DYNAMIC_DNS");
  }
}

/** Without an address a TCP port has nothing to be known by, unless istiod allocates one: not for NONE, not for wildcards. */
function warnMissingAddresses(object: Tree, spec: Tree, resolution: string, to: Findings): void {
  if (listAt(spec, "addresses").length > 0 || resolution === "DYNAMIC_DNS") return;
  const isOptedOut = textAt(object, "metadata", "labels", "networking.istio.io/enable-autoallocate-ip") === "false";
  const isWildcard = listAt(spec, "hosts").every((host) => String(host).startsWith("*"));
  if (resolution !== "NONE" && !isWildcard && !isOptedOut) return;
  if (listAt(spec, "ports").some((port) => isTree(port) && ["", "TCP"].includes(textAt(port, "protocol") ?? ""))) {
    to.warn("addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled");
  }
}
