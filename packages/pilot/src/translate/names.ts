/** Istio's names for Envoy resources. Users see them in proxy-config and write them in EnvoyFilters, so they are an interface. */

export const PASSTHROUGH_CLUSTER = "PassthroughCluster";
export const BLACKHOLE_CLUSTER = "BlackHoleCluster";
export const INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster";

export function clusterName(
  direction: "outbound" | "inbound",
  port: number,
  subset: string | undefined,
  hostname: string,
): string {
  return `${direction}|${port}|${subset ?? ""}|${hostname}`;
}

export interface ClusterNameParts {
  readonly direction: "outbound" | "inbound";
  readonly port: number;
  readonly subset: string;
  readonly hostname: string;
}

export function parseClusterName(name: string): ClusterNameParts | undefined {
  const [direction, port, subset, hostname] = name.split("|");
  if (direction !== "outbound" && direction !== "inbound") return undefined;
  if (port === undefined || subset === undefined || hostname === undefined || !/^\d+$/.test(port)) return undefined;
  return { direction, port: Number(port), subset, hostname };
}

/** Server name of an mTLS connection to a cluster; also the name of the cluster that an AUTO_PASSTHROUGH gateway keeps for it. */
export function sniOfCluster(port: number, subset: string | undefined, hostname: string): string {
  return `outbound_.${port}_.${subset ?? ""}_.${hostname}`;
}

/** The cluster that a server name of `sniOfCluster` stands for. */
export function parseSniCluster(name: string): ClusterNameParts | undefined {
  return name.startsWith("outbound_.") ? parseClusterName(name.replaceAll("_.", "|")) : undefined;
}

export function wildcardAddress(port: number): string {
  return `0.0.0.0_${port}`;
}
