/**
 * The pod network seen from the host: which unix socket stands for which address, cluster DNS, and the dialer for everyone
 * (proxy, kube-proxy, kubelet). Addresses stay what Kubernetes shows; only this package knows that they are sockets.
 * See ARCHITECTURE.md, "The pod network".
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { type Clock, errnoOf, MeshError, systemClock } from "@argyle/core";
import { clusterQuery, parseAddresses, type Resolution } from "./cluster-dns.ts";
import { type DialOptions, dial } from "./dial.ts";
import { type IpRange, parseIpRange } from "./ip-address.ts";
import type { ProxyHeader } from "./proxy-protocol.ts";
import { resetSocket } from "./reset.ts";

export interface PodNetworkOptions {
  readonly runDir: string;
  /** Default 10.244.0.0/16. */
  readonly podCidr?: string;
  /** Default 10.96.0.0/12. */
  readonly serviceCidr?: string;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface PodNetwork {
  /** `$RUN/<ip>`, for a pod IP or a cluster IP. */
  podDir(ip: string): string;
  /** `$RUN/<ip>/<port>.sock`, or in.sock and out.sock. */
  socketPath(ip: string, port: number | "in" | "out"): string;
  /** Whether something in the pod has bound the port: false means that a dial would be refused, and costs a hundredth of finding out by one. */
  isBound(ip: string, port: number): boolean;
  /** True for addresses of the pod and service ranges (never on the host's network). */
  isPodNetworkAddress(ip: string): boolean;
  /** Cluster DNS as a pod of `namespace` sees it. Never asks the host's DNS. */
  resolve(name: string, namespace: string): Promise<Resolution>;
  /** Opens a connection. Throws MeshError pod-network.dial.* whose cause is a system error with the errno that TCP would give. */
  dial(options: DialOptions): Promise<Socket>;
  /** Ends a connection so that its peer sees ECONNRESET; give the PROXY header of one accepted on in.sock or out.sock. */
  reset(socket: Socket, header?: ProxyHeader): void;
}

export const DEFAULT_POD_CIDR = "10.244.0.0/16";
export const DEFAULT_SERVICE_CIDR = "10.96.0.0/12";
const FIRST_EPHEMERAL_PORT = 32_768;
const EPHEMERAL_PORTS = 28_232;

export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { runDir } = options;
  const isPodAddress = rangeOf(options.podCidr ?? DEFAULT_POD_CIDR);
  const isServiceAddress = rangeOf(options.serviceCidr ?? DEFAULT_SERVICE_CIDR);
  let lastPort = 0;

  const network: PodNetwork = {
    podDir: (ip) => join(runDir, ip),
    socketPath: (ip, port) => join(runDir, ip, `${port}.sock`),
    isBound: (ip, port) => existsSync(network.socketPath(ip, port)),
    isPodNetworkAddress: (ip) => isPodAddress(ip) || isServiceAddress(ip),
    resolve: (name, namespace) => resolveIn(runDir, name, namespace),
    dial: (dialOptions) =>
      dial(dialOptions, {
        runDir,
        clock: options.clock ?? systemClock,
        random: options.random ?? Math.random,
        socketPath: network.socketPath,
        podDir: network.podDir,
        isPodNetworkAddress: network.isPodNetworkAddress,
        isPodAddress,
        resolve: network.resolve,
        nextEphemeralPort: () => {
          lastPort = (lastPort + 1) % EPHEMERAL_PORTS;
          return FIRST_EPHEMERAL_PORT + lastPort;
        },
      }),
    reset: (socket, header) => resetSocket(socket, { runDir, header }),
  };
  return network;
}

async function resolveIn(runDir: string, name: string, namespace: string): Promise<Resolution> {
  const query = clusterQuery(name, namespace);
  for (const candidate of query.candidates) {
    try {
      const text = await readFile(join(runDir, "dns", candidate), "utf8");
      return { kind: "found", name: candidate, addresses: parseAddresses(text) };
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  return query.isClusterZone ? { kind: "unknown" } : { kind: "external" };
}

function rangeOf(cidr: string): IpRange {
  const range = parseIpRange(cidr);
  if (range !== undefined) return range;
  throw new MeshError(`not an address range: ${cidr}`, { code: "pod-network.invalid-range" });
}
