/**
 * Domains of virtual hosts: every way in which a client may write a service's name.
 * Ports are not part of them: route configurations set ignore_port_in_host_matching, as Istio's do.
 */
import { isIpAddress } from "../model/host.ts";
import type { MeshService } from "../model/service.ts";

/** FQDN first, then the shorter forms that the client's DNS search path resolves, then the virtual IPs. */
export function domainsOf(
  service: MeshService,
  clientNamespace: string,
  aliases: readonly string[],
): readonly string[] {
  const out = [...shortForms(service.hostname, clientNamespace)];
  for (const alias of aliases) out.push(...shortForms(alias, clientNamespace));
  for (const address of service.addresses)
    if (isIpAddress(address)) out.push(address.includes(":") ? `[${address}]` : address);
  // Pods of a headless service are asked for by their own names.
  if (service.registry === "Kubernetes" && service.resolution === "Passthrough") {
    out.push(...shortForms(service.hostname, clientNamespace).map((name) => `*.${name}`));
  }
  return out;
}

function shortForms(hostname: string, clientNamespace: string): readonly string[] {
  const match = /^([^.]+)\.([^.]+)\.svc\.(.+)$/.exec(hostname);
  if (match === null) return [hostname];
  const [, name = "", namespace = ""] = match;
  const own = namespace === clientNamespace ? [name] : [];
  return [hostname, ...own, `${name}.${namespace}.svc`, `${name}.${namespace}`];
}
