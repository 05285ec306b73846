/**
 * Hosts, addresses, labels, gateways and export lists as Istio accepts them. A domain may be written in either case and may hold
 * underscores only where SNI names do. Source: Istio reference, networking/virtual-service, networking/gateway, networking/sidecar.
 */
import { isIpAddress } from "../validate/names.ts";
import type { Findings } from "./findings.ts";

const LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const WILDCARD_LABEL = /^(?:\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)$/;
/** `outbound_.80_.v1_.host`: how an east-west gateway names a service in SNI. */
const SNI_DNAT = /^(?:inbound|outbound)_\.\d+_\.[^.]*_\./;
const MAX_DOMAIN = 255;

export function isLabel(text: string): boolean {
  return text.length <= 63 && LABEL.test(text);
}

/** What is wrong with a fully qualified name, or undefined. */
export function fqdnFault(name: string): string | undefined {
  return domainFault(name) ?? labelsFault(name, name.split("."));
}

/** As fqdnFault, and the first label may be or begin with a wildcard. */
export function wildcardDomainFault(name: string): string | undefined {
  const fault = domainFault(name);
  if (fault !== undefined) return fault;
  const [first = "", ...rest] = name.split(".");
  if (first.length > 63 || !WILDCARD_LABEL.test(first))
    return `domain name "${name}" invalid (label "${first}" invalid)`;
  return rest.length === 0 ? undefined : labelsFault(name, rest);
}

function domainFault(name: string): string | undefined {
  if (name === "") return "empty domain name not allowed";
  return name.length > MAX_DOMAIN ? `domain name "${name}" too long (max ${MAX_DOMAIN})` : undefined;
}

function labelsFault(name: string, labels: readonly string[]): string | undefined {
  const parts = labels.at(-1) === "" && labels.length > 1 ? labels.slice(0, -1) : labels;
  const wrong = parts.find((label) => !isLabel(label));
  if (wrong !== undefined) return `domain name "${name}" invalid (label "${wrong}" invalid)`;
  const top = parts.at(-1) ?? "";
  return /^\d+$/.test(top)
    ? `domain name "${name}" invalid (top level domain "${top}" cannot be all-numeric)`
    : undefined;
}

/** `*.example.com` is whole; `*example.com` is partial. */
export function isPartialWildcard(name: string): boolean {
  return name.startsWith("*") && name !== "*" && !name.startsWith("*.");
}

/** A host of a VirtualService: a name, a wildcard, an address, or an SNI name of an east-west gateway. */
export function virtualServiceHostFault(host: string): string | undefined {
  if (isIpAddress(host)) return undefined;
  if (SNI_DNAT.test(host)) return fqdnFault(host.replace(SNI_DNAT, ""));
  return wildcardDomainFault(host);
}

export function cidrFault(text: string): string | undefined {
  const slash = text.indexOf("/");
  const address = slash === -1 ? text : text.slice(0, slash);
  if (!isIpAddress(address)) return `"${text}" is not a valid IP address or CIDR block`;
  if (slash === -1) return undefined;
  const bits = text.slice(slash + 1);
  const max = address.includes(":") ? 128 : 32;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= max ? undefined : `invalid CIDR address: ${text}`;
}

/** `namespace/dnsName`; a Gateway may leave the namespace out. */
export function namespacedHostFault(host: string, isGateway: boolean): string | undefined {
  const slash = host.indexOf("/");
  if (slash === -1) return isGateway ? gatewayHostFault(host) : "host must be of form namespace/dnsName";
  const namespace = host.slice(0, slash);
  const name = host.slice(slash + 1);
  if (namespace === "" || name === "") return "config namespace and dnsName in host entry cannot be empty";
  const isWord = namespace === "*" || namespace === "." || (namespace === "~" && !isGateway);
  if (!isWord && !isLabel(namespace)) return `invalid namespace value "${namespace}" in host entry`;
  return isGateway ? gatewayHostFault(name) : sidecarHostFault(name);
}

function sidecarHostFault(name: string): string | undefined {
  if (isPartialWildcard(name)) return `partial wildcard "${name}" not allowed`;
  return wildcardDomainFault(name);
}

function gatewayHostFault(name: string): string | undefined {
  if (isPartialWildcard(name)) return `partial wildcard "${name}" not allowed`;
  return wildcardDomainFault(name);
}

export function checkGatewayNames(gateways: readonly unknown[], path: string, to: Findings): void {
  for (const [index, gateway] of gateways.entries()) {
    const at = `${path}[${index}]`;
    const name = String(gateway ?? "");
    const slash = name.indexOf("/");
    if (slash === -1) {
      const fault = fqdnFault(name);
      if (fault !== undefined) to.error(at, fault);
      else if (name.includes(".")) {
        const [short = "", namespace = ""] = name.split(".");
        to.warn(
          `using legacy gatewayName format "${name}"; prefer the <namespace>/<name> format: "${namespace}/${short}"`,
        );
      }
      continue;
    }
    const namespace = name.slice(0, slash);
    const rest = name.slice(slash + 1);
    if (namespace === "" || rest === "") to.error(at, "config namespace and gateway name cannot be empty");
    else if (!isLabel(namespace)) to.error(at, `invalid value for namespace: "${namespace}"`);
    else if (!isLabel(rest)) to.error(at, `invalid value for gateway name: "${rest}"`);
  }
}

export function checkExportTo(
  exportTo: readonly unknown[],
  namespace: string,
  path: string,
  to: Findings,
  kind: "service-entry" | "selected-rule" | "other" = "other",
): void {
  const seen = new Set<string>();
  for (const [index, entry] of exportTo.entries()) {
    const text = String(entry);
    const key = text === "." ? namespace : text;
    if (seen.has(key)) to.error(`${path}[${index}]`, `duplicate entries in exportTo: ${text}`);
    seen.add(key);
    if (key === "*" || (key === "~" && kind === "service-entry")) continue;
    if (!isLabel(key)) {
      to.error(`${path}[${index}]`, `only .,*, or a valid DNS 1123 label is allowed as exportTo entry: ${text}`);
    }
  }
  if (seen.size < 2 && (kind !== "selected-rule" || seen.size === 0 || seen.has(namespace))) return;
  if (kind === "selected-rule") {
    to.error(path, "destination rule with workload selector cannot have exportTo beyond current namespace");
  } else if (seen.has("*")) {
    to.error(
      path,
      "cannot have both public (*) and non-public (i.e. private, none, or a list of namespaces) exportTo values for a resource",
    );
  } else if (seen.has("~")) to.error(path, "cannot export service entry to no one (~) and someone");
}
