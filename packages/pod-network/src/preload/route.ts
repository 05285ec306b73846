/**
 * Where a program's connection goes: to the pod's sidecar, to the pod itself, straight to another pod, or to the host as Node would do it.
 * Pure: what exists is asked through `deps`. Order: loopback, cluster DNS, Istio's exclude and include annotations, then capture.
 */
import { isIP, isIPv6 } from "node:net";
import { join } from "node:path";
import { clusterQuery, resolveQuery } from "../cluster-dns.ts";
import { type IpRange, isLoopbackAddress, parseIpRange } from "../ip-address.ts";
import type { Endpoint } from "../proxy-protocol.ts";
import type { PreloadConfig } from "./config.ts";

export type Route =
  /** Node dials it as always. */
  | { readonly kind: "host" }
  /** A unix socket stands for `peer`; `header` opens the connection where somebody reads PROXY v2. */
  | {
      readonly kind: "socket";
      readonly path: string;
      readonly peer: Endpoint;
      readonly header?: { readonly destination: Endpoint; readonly authority?: string };
    }
  /** A name of the cluster that does not exist: never asked of the host's DNS. */
  | { readonly kind: "not-found" };

export interface RouteDeps {
  readonly exists: (path: string) => boolean;
  /** The text of `$RUN/dns/<file>`, or undefined. */
  readonly readName: (file: string) => string | undefined;
}

export interface Router {
  route(host: string, port: number): Route;
  /** The addresses of a cluster name; "unknown" for a name of the zone that does not exist, undefined for others. */
  lookup(name: string): readonly string[] | "unknown" | undefined;
}

const HOST: Route = { kind: "host" };

export function createRouter(config: PreloadConfig, deps: RouteDeps): Router {
  const included = rangesOf(config.includeOutboundIPRanges);
  const excluded = rangesOf(config.excludeOutboundIPRanges);
  const isInPodNetwork = anyOf([parseIpRange(config.podCidr), parseIpRange(config.serviceCidr)]);
  const outSocket = join(config.podDir, "out.sock");
  const ownNames = new Set(["localhost", config.podName]);

  const lookup = (name: string): readonly string[] | "unknown" | undefined => {
    const plain = name.toLowerCase().replace(/\.$/, "");
    if (plain === config.podName) return [config.podIP];
    const resolution = resolveQuery(clusterQuery(name, config.namespace), deps.readName);
    return resolution.kind === "found" ? resolution.addresses : resolution.kind === "unknown" ? "unknown" : undefined;
  };

  const ownSocket = (port: number): Route | undefined => {
    const path = join(config.podDir, `${port}.sock`);
    return deps.exists(path) ? { kind: "socket", path, peer: { ip: "127.0.0.1", port } } : undefined;
  };

  const captured = (destination: Endpoint, authority: string | undefined): Route => ({
    kind: "socket",
    path: outSocket,
    peer: destination,
    header: authority === undefined ? { destination } : { destination, authority },
  });

  const isCaptured = (ip: string | undefined, port: number): boolean => {
    if (config.excludeOutboundPorts.includes(port)) return false;
    if (ip !== undefined && excluded(ip)) return false;
    if (config.includeOutboundPorts.includes(port)) return true;
    // A name that only the host can resolve has no address yet; a list of ranges cannot mean it.
    return ip === undefined ? config.includeOutboundIPRanges.includes("*") : included(ip);
  };

  /** Past the sidecar: what iptables would have let through goes to the other pod's own door. */
  const direct = (destination: Endpoint): Route => {
    const door = join(config.runDir, destination.ip, "in.sock");
    if (deps.exists(door)) return { kind: "socket", path: door, peer: destination, header: { destination } };
    return { kind: "socket", path: join(config.runDir, destination.ip, `${destination.port}.sock`), peer: destination };
  };

  return {
    lookup,
    route(host, port) {
      const plain = host.toLowerCase().replace(/\.$/, "");
      if (plain === config.podIP || plain === config.podName) {
        const path = join(config.podDir, `${port}.sock`);
        return { kind: "socket", path, peer: { ip: config.podIP, port } };
      }
      if (ownNames.has(plain) || plain.endsWith(".localhost") || (isIP(host) !== 0 && isLoopbackAddress(host))) {
        const own = ownSocket(port);
        if (own !== undefined) return own;
        const serviceIP = config.loadBalancerPorts[String(port)];
        return serviceIP === undefined ? HOST : captured({ ip: serviceIP, port }, undefined);
      }
      if (isIP(host) !== 0) {
        if (isCaptured(host, port)) return captured({ ip: host, port }, undefined);
        return isInPodNetwork(host) ? direct({ ip: host, port }) : HOST;
      }
      const addresses = lookup(host);
      if (addresses === "unknown") return { kind: "not-found" };
      const [ip] = addresses ?? [];
      if (addresses !== undefined && ip === undefined) return { kind: "not-found" };
      if (isCaptured(ip, port)) return captured({ ip: ip ?? "0.0.0.0", port }, plain);
      return ip === undefined ? HOST : direct({ ip, port });
    },
  };
}

/** IPv6 destinations need an IPv6 source in the header; the pod has only an IPv4 address, which is mapped. */
export function familyOf(ip: string): "IPv4" | "IPv6" {
  return isIPv6(ip) ? "IPv6" : "IPv4";
}

function rangesOf(texts: readonly string[]): IpRange {
  return texts.includes("*") ? () => true : anyOf(texts.map(parseIpRange));
}

function anyOf(ranges: readonly (IpRange | undefined)[]): IpRange {
  return (ip) => ranges.some((range) => range?.(ip) === true);
}
