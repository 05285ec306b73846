/** Services and their endpoints. Source: Kubernetes API reference, core/v1 ServiceSpec, Endpoints, discovery.k8s.io/v1 EndpointSlice. */
import { duplicate, type FieldProblem, forbidden, invalid, notSupported, required } from "../field-problem.ts";
import { isAbsent, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { validateProtocol } from "./container.ts";
import { validateLabels } from "./metadata.ts";
import { dnsLabel, dnsSubdomain, isIpAddress, portName, portNumber } from "./names.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const NODE_PORTS = { first: 30_000, last: 32_767 };

export function validateService(service: Tree): FieldProblem[] {
  const spec = treeAt(service.spec);
  const problems: FieldProblem[] = [];
  const type = textAt(spec, "type") ?? "ClusterIP";
  const clusterIp = textAt(spec, "clusterIP") ?? "";
  const ports = listAt(spec, "ports");
  if (!TYPES.includes(type)) problems.push(notSupported("spec.type", type, TYPES));
  if (type === "ExternalName") {
    const externalName = textAt(spec, "externalName") ?? "";
    if (externalName === "") problems.push(required("spec.externalName"));
    else problems.push(...dnsSubdomain(externalName).map((t) => invalid("spec.externalName", externalName, t)));
    if (clusterIp !== "") problems.push(forbidden("spec.clusterIPs", "may not be set for ExternalName services"));
  } else if (ports.length === 0 && clusterIp !== "None") problems.push(required("spec.ports"));
  if (clusterIp === "None" && (type === "LoadBalancer" || type === "NodePort")) {
    problems.push(invalid("spec.clusterIPs[0]", clusterIp, `may not be set to 'None' for ${type} services`));
  } else if (clusterIp !== "" && clusterIp !== "None" && !isIpAddress(clusterIp)) {
    problems.push(
      invalid("spec.clusterIPs", [clusterIp], "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    );
  }
  const affinity = spec.sessionAffinity;
  if (!isAbsent(affinity) && affinity !== "None" && affinity !== "ClientIP") {
    problems.push(notSupported("spec.sessionAffinity", affinity, ["ClientIP", "None"]));
  }
  problems.push(...validateLabels(spec.selector, "spec.selector"));
  problems.push(...validatePorts(ports, type));
  return problems;
}

function validatePorts(ports: readonly unknown[], type: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, entry] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const { name, port, targetPort, nodePort, protocol } = treeAt(entry);
    if (typeof name !== "string" || name === "") {
      if (ports.length > 1) problems.push(required(`${at}.name`));
    } else {
      problems.push(...dnsLabel(name).map((text) => invalid(`${at}.name`, name, text)));
      if (names.has(name)) problems.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    problems.push(...portNumber(port).map((text) => invalid(`${at}.port`, port ?? 0, text)));
    problems.push(...validateProtocol(protocol, `${at}.protocol`));
    if (!isAbsent(targetPort)) {
      const complaints = typeof targetPort === "string" ? portName(targetPort) : portNumber(targetPort);
      problems.push(...complaints.map((text) => invalid(`${at}.targetPort`, targetPort, text)));
    }
    const key = `${String(port)}/${String(protocol)}`;
    if (numbers.has(key)) problems.push(duplicate(at, { port, protocol }));
    numbers.add(key);
    if (typeof nodePort !== "number" || nodePort === 0) continue;
    const nodeKey = `${nodePort}/${String(protocol)}`;
    if (type === "ClusterIP" || type === "ExternalName") {
      problems.push(forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${type}'`));
    } else if (nodePort < NODE_PORTS.first || nodePort > NODE_PORTS.last) {
      const range = `${NODE_PORTS.first}-${NODE_PORTS.last}`;
      const text = `provided port is not in the valid range. The range of valid ports is ${range}`;
      problems.push(invalid(`${at}.nodePort`, nodePort, text));
    } else if (nodePorts.has(nodeKey)) problems.push(duplicate(`${at}.nodePort`, nodePort));
    nodePorts.add(nodeKey);
  }
  return problems;
}

/** A cluster IP stays; only ExternalName services have none, so only changes from and to them may set or clear it. */
export function validateServiceUpdate(before: Tree, after: Tree): FieldProblem[] {
  const isExternal = (service: Tree) => textAt(service, "spec", "type") === "ExternalName";
  if (isExternal(before) || isExternal(after)) return [];
  const was = textAt(before, "spec", "clusterIP") ?? "";
  const is = textAt(after, "spec", "clusterIP") ?? "";
  if (was === "" || is === was) return [];
  return [invalid("spec.clusterIPs[0]", is === "" ? [] : [is], "may not change once set")];
}

export function validateEndpoints(endpoints: Tree): FieldProblem[] {
  return listAt(endpoints, "subsets").flatMap((subset, index) => {
    const at = `subsets[${index}]`;
    const addresses = listAt(subset, "addresses");
    const notReady = listAt(subset, "notReadyAddresses");
    const problems: FieldProblem[] = [];
    if (addresses.length + notReady.length === 0) {
      problems.push(required(at, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (const [list, entries] of [
      ["addresses", addresses],
      ["notReadyAddresses", notReady],
    ] as const) {
      for (const [i, address] of entries.entries()) {
        const ip = textAt(address, "ip") ?? "";
        if (!isIpAddress(ip)) {
          problems.push(
            invalid(`${at}.${list}[${i}].ip`, ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
          );
        }
      }
    }
    for (const [i, port] of listAt(subset, "ports").entries()) {
      const number = treeAt(port).port;
      problems.push(...portNumber(number).map((text) => invalid(`${at}.ports[${i}].port`, number ?? 0, text)));
    }
    return problems;
  });
}

const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];

export function validateEndpointSlice(slice: Tree): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const type = textAt(slice, "addressType") ?? "";
  if (type === "") problems.push(required("addressType"));
  else if (!ADDRESS_TYPES.includes(type)) problems.push(notSupported("addressType", type, ADDRESS_TYPES));
  for (const [index, endpoint] of listAt(slice, "endpoints").entries()) {
    const addresses = listAt(endpoint, "addresses");
    if (addresses.length === 0)
      problems.push(required(`endpoints[${index}].addresses`, "must contain at least 1 address"));
    for (const [i, address] of addresses.entries()) {
      if (type !== "FQDN" && !isIpAddress(String(address))) {
        problems.push(
          invalid(
            `endpoints[${index}].addresses[${i}]`,
            address,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
          ),
        );
      }
    }
  }
  const names = new Set<unknown>();
  for (const [index, port] of listAt(slice, "ports").entries()) {
    const { name } = treeAt(port);
    if (names.has(name)) problems.push(duplicate(`ports[${index}].name`, name));
    names.add(name);
  }
  return problems;
}

export function validateEndpointSliceUpdate(before: Tree, after: Tree): FieldProblem[] {
  if (before.addressType === after.addressType) return [];
  return [invalid("addressType", after.addressType, "field is immutable")];
}
