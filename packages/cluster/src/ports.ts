/**
 * The one table of ports. Host ports are wishes: a busy one is replaced by the next free one and said aloud (see DESIGN "Ports on the host").
 * Ports of the pod network never touch the host.
 */
import { createServer } from "node:net";
import { MeshError } from "@argyle/core";

export const HOST = "127.0.0.1";

export const HOST_PORTS = {
  api: 6443,
  gatewayHttp: 8080,
  console: 8443,
} as const;

export const POD_PORTS = {
  proxyAdmin: 15000,
  proxyOutbound: 15001,
  proxyInbound: 15006,
  proxyMergedMetrics: 15020,
  proxyReadiness: 15021,
  proxyMetrics: 15090,
  istiodXdsPlain: 15010,
  istiodXds: 15012,
  istiodMonitoring: 15014,
  istiodWebhook: 15017,
} as const;

const TRIES = 50;

/** The wished port if it is free on 127.0.0.1, else the next free one; throws `ports.none-free` after 50 tries. */
export async function findFreePort(wished: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let port = wished; port < wished + TRIES && port < 65_536; port++) {
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new MeshError(`no free port between ${wished} and ${wished + TRIES - 1} on ${HOST}`, {
    code: "ports.none-free",
    advice: "end the programs that hold them, or choose other ports with --api-port and --gateway-port",
  });
}

/** Any free port, from anywhere below the range that outgoing connections take: busy ports come in rows, so each try is made elsewhere. */
export async function findAnyPort(taken: ReadonlySet<number>, random: () => number): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = 20_000 + Math.floor(random() * 12_000);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  return findFreePort(20_000, taken);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
