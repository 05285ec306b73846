/**
 * Where a connection out of a pod without a sidecar goes. A virtual IP goes to one of its endpoints, a pod IP to that pod, a name to
 * whatever cluster DNS says (ExternalName is followed), everything else to the host's network. A virtual IP or a name of the cluster's zone
 * that does not exist never leaves the host.
 */

import { isIP } from "node:net";
import type { Endpoint, PodNetwork } from "@argyle/pod-network";
import type { Source, Target } from "./forward.ts";
import type { VirtualPort } from "./tables.ts";

export interface OutboundDeps {
  readonly podNetwork: Pick<PodNetwork, "isPodNetworkAddress" | "resolve">;
  /** Text of a cluster DNS file. */
  readonly dns: (file: string) => string | undefined;
  readonly virtualPort: (ip: string, port: number) => VirtualPort | undefined;
  readonly isServiceAddress: (ip: string) => boolean;
  readonly random: () => number;
}

const MAX_ALIASES = 8;
const NOT_KNOWN = "0.0.0.0";

/** What a PROXY header says: who, where to, and by which name. */
export interface OutboundRequest {
  readonly source: Source;
  readonly destination: Endpoint;
  readonly authority: string | undefined;
}

export async function decideOutbound(
  { source, destination, authority }: OutboundRequest,
  namespace: string,
  deps: OutboundDeps,
): Promise<Target> {
  if (destination.ip !== NOT_KNOWN) return toAddress(destination, source, authority, deps);
  if (authority === undefined) return { kind: "refused", reason: "the PROXY header names no destination" };
  return toName(authority, destination.port, source, namespace, deps);
}

async function toName(
  authority: string,
  port: number,
  source: Source,
  namespace: string,
  deps: OutboundDeps,
): Promise<Target> {
  let name = authority;
  for (let i = 0; i < MAX_ALIASES; i++) {
    if (isIP(name) !== 0) return toAddress({ ip: name, port }, source, authority, deps);
    const resolution = await deps.podNetwork.resolve(name, namespace);
    if (resolution.kind === "unknown") return { kind: "refused", reason: `no such name in the cluster: ${name}` };
    if (resolution.kind === "external") return { kind: "address", dial: { host: name, port } };
    const alias = /^CNAME (\S+)/.exec(deps.dns(resolution.name) ?? "")?.[1];
    if (alias !== undefined) {
      name = alias;
      continue;
    }
    const ip = resolution.addresses[Math.floor(deps.random() * resolution.addresses.length)];
    if (ip === undefined) return { kind: "refused", reason: `${name} has no address: no pod of it is ready` };
    return toAddress({ ip, port }, source, authority, deps);
  }
  return { kind: "refused", reason: `${authority} is an alias of too many aliases` };
}

function toAddress(to: Endpoint, source: Source, authority: string | undefined, deps: OutboundDeps): Target {
  if (!deps.podNetwork.isPodNetworkAddress(to.ip)) return { kind: "address", dial: { host: to.ip, port: to.port } };
  const asked = authority === undefined ? {} : { authority };
  if (!deps.isServiceAddress(to.ip))
    return { kind: "address", dial: { host: to.ip, port: to.port, from: source, ...asked } };
  const name = `${to.ip}:${to.port}`;
  if (deps.virtualPort(to.ip, to.port) === undefined) return { kind: "refused", reason: `no Service at ${name}` };
  return { kind: "backends", name, backends: () => deps.virtualPort(to.ip, to.port)?.backends ?? [], ...asked };
}
